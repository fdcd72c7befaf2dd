/** ONNX Runtime's own reporting (a device id, a queue of reports in the user's cache folder, logs) does not come to life. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';

test('computing leaves no trace of telemetry on the machine', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-telemetry-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  // Where it keeps what it sends; on a CI machine it would be silent anyway.
  for (const name of ['HOME', 'TMPDIR', 'XDG_CACHE_HOME', 'XDG_DATA_HOME']) process.env[name] = folder;
  for (const name of ['CI', 'ORT_DISABLE_TELEMETRY']) Reflect.deleteProperty(process.env, name);
  const host = new ComputeHost(forkCompute);
  t.after(() => host.close());
  const policyDirectory = bundledPolicyDirectory();
  await host.call('open', { policyDirectory, checkpointDirectory: null, provider: 'cpu', threads: 1 });
  const rows = [{ tokens: [5, 6, 7], promptLength: 1 }];
  assert.equal((await host.call('score', { rows, maxTokens: 64 }))[0]!.length, 2);
  assert.deepEqual(readdirSync(folder, { recursive: true }), []);
});
