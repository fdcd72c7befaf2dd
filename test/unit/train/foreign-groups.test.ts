/** Which groups of peers are drawn, and which are left out as too foreign: limits hold for any pool, weights do what they say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { createRandom } from '../../../src-main/base/random.ts';
import { choosePeerGroups, withinSurpriseGap, type PeerGroupOptions } from '../../../src-main/train/foreign-groups.ts';
import type { TokenGroup } from '../../../src-main/train/rows.ts';
import type { Group } from '../../../src-main/types.ts';

const group = (id: string, origin: string, rewards: readonly number[], receivedAt = 0): Group => ({
  id,
  origin,
  task: { generator: 'gcd', version: 1, config: {}, seed: '1', index: 0 },
  question: '',
  completions: rewards.map((reward) => ({ text: '', ended: true, reward })),
  round: 0,
  policyName: '',
  receivedAt,
});
const options = (more: Partial<PeerGroupOptions> = {}): PeerGroupOptions => ({
  peerGroups: 4,
  peerSampling: 'uniform',
  maxGroupsPerPeer: 0,
  ...more,
});
const samplings = ['uniform', 'spread', 'fresh'] as const;

test('never more than J, never more than the limit of a peer, nothing twice, and no place left empty that could be filled', () => {
  const pool = fc.array(fc.record({ origin: fc.constantFrom('a', 'b', 'c'), at: fc.nat(20) }), { maxLength: 30 });
  fc.assert(
    fc.property(
      pool,
      fc.nat(12),
      fc.nat(5),
      fc.constantFrom(...samplings),
      fc.nat(),
      (peers, peerGroups, cap, sampling, seed) => {
        const groups = peers.map(({ origin, at }, i) => group(String(i), origin, [1, 0], at));
        const random = createRandom(seed);
        const chosen = choosePeerGroups(groups, { peerGroups, peerSampling: sampling, maxGroupsPerPeer: cap }, () =>
          random.float(),
        );
        const of = (list: readonly Group[], origin: string) => list.filter((each) => each.origin === origin).length;
        const room = (origin: string) => Math.min(of(groups, origin), cap === 0 ? Infinity : cap);
        assert.equal(new Set(chosen).size, chosen.length);
        assert.ok(chosen.every((each) => groups.includes(each)));
        assert.ok(['a', 'b', 'c'].every((origin) => of(chosen, origin) <= room(origin)));
        assert.equal(chosen.length, Math.min(peerGroups, room('a') + room('b') + room('c')));
      },
    ),
  );
});

/** How often each group is the first of `draws` draws of one. */
function firstDraws(groups: readonly Group[], peerSampling: PeerGroupOptions['peerSampling'], draws: number) {
  const random = createRandom(7);
  const counts = new Map(groups.map(({ id }) => [id, 0]));
  for (let i = 0; i < draws; i++) {
    const [chosen] = choosePeerGroups(groups, options({ peerGroups: 1, peerSampling }), () => random.float());
    counts.set(chosen!.id, counts.get(chosen!.id)! + 1);
  }
  return (id: string): number => counts.get(id)! / draws;
}

test('uniform draws all alike; spread in proportion to the variance of the rewards; fresh in proportion to 1 / age rank', () => {
  const near = (share: number, expected: number): void =>
    assert.ok(Math.abs(share - expected) < 0.025, `${share}, expected ${expected}`);
  const groups = [
    group('half', 'a', [1, 1, 0, 0], 30),
    group('quarter', 'b', [1, 0, 0, 0], 20),
    group('none', 'c', [0, 0, 0, 0], 10),
  ];
  const uniform = firstDraws(groups, 'uniform', 4000);
  for (const { id } of groups) near(uniform(id), 1 / 3);
  const spread = firstDraws(groups, 'spread', 4000);
  near(spread('half'), 0.25 / (0.25 + 0.1875));
  assert.equal(spread('none'), 0, 'what has no spread is never drawn');
  const fresh = firstDraws(groups, 'fresh', 4000);
  near(fresh('half'), 6 / 11);
  near(fresh('quarter'), 3 / 11);
});

test('what surprises the policy by more than the gap is left out; without a gap nothing is computed', async () => {
  const adopted = [-0.5, -2, -2.1].map((logprob) => ({
    logprob,
    tokens: {
      promptTokens: [1],
      completions: [0, 1].map((reward) => ({ tokens: [2, 3], reward, behaviorLogprobs: null })),
    } satisfies TokenGroup,
  }));
  let calls = 0;
  const compute = {
    call: (name: string, { rows }: { rows: unknown[] }) => {
      calls++;
      assert.equal(name, 'score');
      assert.equal(rows.length, 6);
      return Promise.resolve(adopted.flatMap(({ logprob }) => [0, 1].map(() => [logprob, logprob])));
    },
  } as unknown as ComputeHost;
  const kept = await withinSurpriseGap(compute, adopted, { ownSurprise: 0.5, maxGap: 1.5, maxTokens: 100 });
  assert.deepEqual(kept, adopted.slice(0, 2));
  assert.equal(calls, 1);
  assert.deepEqual(await withinSurpriseGap(compute, adopted, { ownSurprise: 0.5, maxGap: 0, maxTokens: 100 }), adopted);
  assert.equal(calls, 1);
});
