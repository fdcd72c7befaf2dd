// The node's keeper of demonstrations: gathered from peers' groups, chosen by surprise, written down, and there again after a restart.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { createLog } from '../../../src-main/base/log.ts';
import { createRandom } from '../../../src-main/base/random.ts';
import { configSchema } from '../../../src-main/config/schema.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { DemonstrationKeeper } from '../../../src-main/engine/rounds/demonstrations.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../../src-main/tasks/task-sets.ts';
import type { Group } from '../../../src-main/types.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-keeper-'));
after(() => rm(root, { recursive: true, force: true }));
let files = 0;
const peer = (i: number): string => `0${i}`.repeat(32);
const policy = {
  tokenizer: await loadTokenizer(bundledPolicyDirectory()),
  style: 'terse' as const,
  contextTokens: 256,
};
const refs = sampleTaskRefs(getTaskSet('starter')!, { seed: 4n, from: 0, count: 40 });

function group(index: number, origin: string, extra = ''): Group {
  const task = refs[index]!;
  const made = instantiate(task);
  assert.ok(made.ok);
  return {
    id: `${index}/${origin}`,
    origin,
    task,
    question: made.instance.question,
    completions: [
      { text: `${extra}<answer>${made.instance.terseAnswer}</answer>`, ended: true, reward: 1 },
      { text: 'wrong', ended: true, reward: 0 },
    ],
    round: 1,
    policyName: 'their\u202Es',
    receivedAt: 0,
  };
}

function keeper(more: Record<string, unknown> = {}, path = join(root, String(files++))) {
  const config = configSchema.parse({ method: 'bridge', demonstrationsPerRound: 4, maxNewTokens: 40, ...more });
  const log = createLog({ directory: null });
  const made = new DemonstrationKeeper({ config, path, publicKey: peer(9), log: log.for('engine') });
  after(() => made.close());
  return { keeper: made, path, said: () => log.rows({ limit: 50, level: 'info' }).map(({ message }) => message) };
}

/** As if every token of a row were as likely as its length says: longer answers surprise more. */
const compute = {
  call: (_: string, { rows }: { rows: { tokens: number[]; promptLength: number }[] }) =>
    Promise.resolve(
      rows.map(({ tokens, promptLength }) =>
        tokens.slice(promptLength).map(() => -(tokens.length - promptLength) / 10),
      ),
    ),
} as unknown as ComputeHost;
const wish = (ownSurprise = 1, label = '1') => ({
  compute,
  policy,
  own: [],
  ownSurprise,
  random: createRandom(7, label),
});

test('answers that surprise go first; what is too long or too foreign is not imitated; the same seed, the same choice', async () => {
  const { keeper: made } = keeper();
  await made.open();
  for (let i = 0; i < 6; i++) made.offer(group(i, peer(1)));
  for (let i = 6; i < 10; i++) made.offer(group(i, peer(2), ':12 and some words'));
  made.offer(group(10, peer(2), 'far longer than an answer may be '.repeat(9)));
  await made.choose(wish(1.4)); // what cannot be used is gone from now on
  const chosen = await made.choose(wish(1.4));
  assert.equal(chosen.length, 4);
  const split = chosen.findIndex(({ surprise }) => surprise <= 1.4);
  assert.ok(
    chosen.slice(split < 0 ? 4 : split).every(({ surprise }) => surprise <= 1.4),
    'the surprising ones first',
  );
  assert.ok(chosen[0]!.surprise > 1.4);
  assert.deepEqual(
    (await made.choose(wish(1.4))).map(({ demonstration }) => demonstration.text),
    chosen.map(({ demonstration }) => demonstration.text),
  );
  const near = keeper({ maxSurpriseGap: 0.05 });
  await near.keeper.open();
  for (let i = 6; i < 10; i++) near.keeper.offer(group(i, peer(2), ':12 and some words'));
  assert.deepEqual(await near.keeper.choose(wish(0.1)), []);
});

test('what waits, and what was imitated, is there after a restart; a damaged file costs only that', async () => {
  const { keeper: first, path } = keeper();
  await first.open();
  for (let i = 0; i < 8; i++) first.offer(group(i, peer(i % 2)));
  const chosen = await first.choose(wish());
  first.imitated(3, { demonstrations: chosen, ownSurprise: 1 });
  const before = first.report(10);
  assert.deepEqual([before.used.peer, before.latest.length, before.latest[0]!.policyName], [4, 4, 'theirs']);
  await first.close();
  const again = keeper({}, path).keeper;
  await again.open();
  assert.deepEqual(again.report(10), before);
  assert.notDeepEqual(
    (await again.choose(wish(1, '2'))).map(({ demonstration }) => demonstration.text).sort(),
    chosen.map(({ demonstration }) => demonstration.text).sort(),
    'the less used go first',
  );
  for (const damaged of ['{', '{"pool":{"version":1,"entries":[{"origin":7}]},"used":{},"latest":[]}', '[]']) {
    await writeFile(path, damaged);
    const fresh = keeper({}, path);
    await fresh.keeper.open();
    assert.equal(fresh.keeper.report(10).waiting.length, 0);
    assert.ok(
      fresh.said().some((message) => message.includes('is damaged')),
      damaged,
    );
  }
});

test('where rewards alone train the policy, or peers are no source, nothing is gathered or written', async () => {
  for (const more of [{ method: 'sapo' }, { demonstrationSources: ['own'] }]) {
    const { keeper: made, path } = keeper(more);
    await made.open();
    made.offer(group(0, peer(1)));
    assert.deepEqual(made.report(10).waiting, []);
    await made.close();
    await assert.rejects(readFile(path), { code: 'ENOENT' });
  }
});
