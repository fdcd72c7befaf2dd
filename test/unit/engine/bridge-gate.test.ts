// Room for BRIDGE is asked for before anything is loaded: the figure where there is some, the figure and the fix where not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WaggleError } from '../../../src-main/base/errors.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { requireRoomForBridge } from '../../../src-main/engine/compute/bridge-gate.ts';
import { readPolicyConfig } from '../../../src-main/models/model-fit.ts';
import { openNode } from './test-node.ts';

const config = await readPolicyConfig(bundledPolicyDirectory());
const settings = (more: Record<string, unknown> = {}) => configSchema.parse({ method: 'bridge', ...more });

test('where it fits, also in smaller passes only, the figures are said', () => {
  const roomy = requireRoomForBridge(config, settings(), 16e9);
  assert.match(
    roomy,
    /^Training with BRIDGE needs about 0\.\d\d GB of memory, 16\.0 GB are free; without BRIDGE it would be 0\.\d\d GB$/,
  );
  const [need, without] = [...roomy.matchAll(/0\.\d\d/g)].map(([figure]) => Number(figure));
  assert.ok(need! > without! + 0.1);
  assert.match(requireRoomForBridge(config, settings({ microBatchTokens: 65_536 }), 1.2e9), / 1\.20 GB are free/);
});

test('where it does not fit, it is refused with the figure and what can be done', () => {
  for (const [adapter, fix] of [
    ['full', /^Train an adapter instead .*--method sapo\.$/],
    ['lora', /^ask for shorter answers .*--method sapo\.$/],
  ] as const) {
    assert.throws(
      () => requireRoomForBridge(config, settings({ adapter }), 3e8),
      (error) => {
        assert.ok(error instanceof WaggleError);
        assert.equal(error.code, 'bridgeMemory');
        assert.match(error.message, /needs at least about 0\.\d\d GB of memory, 0\.30 GB are free/);
        assert.match(error.fix, fix);
        return true;
      },
    );
  }
});

test('a node refuses to begin and says why; nothing was loaded', async () => {
  const node = await openNode({ method: 'bridge', groupSize: 256, maxNewTokens: 32_768, microBatchTokens: 40_000 });
  const { state } = await node.until('error');
  assert.equal(state.reason?.kind === 'fault' && state.reason.code, 'bridgeMemory');
  assert.match(state.text, /BRIDGE needs at least about [\d.]+ GB/);
  assert.deepEqual(node.computePids, []);
  await node.engine.close();
});
