// Adaptive J: its bounds hold whatever is measured, it follows a clear benefit, stays put on noise, and comes back after a rest.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  afterComparison,
  afterSharedRound,
  mixOf,
  REST_ROUNDS,
  restoreSharing,
  sharingLevels,
  startSharing,
  type MeasuredBenefit,
  type SharingState,
} from '../../../src-main/train/sharing.ts';
import type { JsonValue } from '../../../src-main/types.ts';

type Happening = 'round' | MeasuredBenefit;

const after = (state: SharingState, event: Happening): SharingState =>
  event === 'round' ? afterSharedRound(state) : afterComparison(state, event);
const asKept = (state: SharingState): JsonValue => JSON.parse(JSON.stringify(state)) as JsonValue;

const mix = fc.record({ ownGroups: fc.nat(40), peerGroups: fc.nat(40) }).filter((m) => m.ownGroups + m.peerGroups > 0);
const anyNumber = fc.oneof(fc.double(), fc.double({ min: -1, max: 1, noNaN: true }));
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.constant('round' as const),
  fc.record({ difference: anyNumber, standardError: anyNumber }),
);
const happenings = fc
  .array(fc.tuple(happening, fc.integer({ min: 1, max: REST_ROUNDS + 1 })), { maxLength: 60 })
  .map((runs) => runs.flatMap(([event, times]) => Array<Happening>(event === 'round' ? times : 1).fill(event)));

describe('whatever happens', () => {
  test('I + J stays the sum of the settings, own groups keep a quarter, and J moves one level at a time', () => {
    fc.assert(
      fc.property(mix, happenings, (settings, events) => {
        const total = settings.ownGroups + settings.peerGroups;
        const levels = sharingLevels(total);
        let state = startSharing(settings);
        for (const event of events) {
          const next = after(state, event);
          const { ownGroups, peerGroups } = mixOf(next);
          assert.equal(ownGroups + peerGroups, total);
          assert.ok(ownGroups >= 1 && ownGroups >= total / 4 && levels.includes(peerGroups));
          assert.ok(Math.abs(next.level - state.level) <= 1);
          if (event === 'round' && next.level !== state.level)
            assert.deepEqual([state.level, state.restedRounds, next.level], [0, REST_ROUNDS - 1, 1]);
          state = next;
        }
      }),
    );
  });

  test('a state that was kept goes on exactly like the one that was not', () => {
    fc.assert(
      fc.property(mix, happenings, happenings, (settings, before, later) => {
        const state = before.reduce(after, startSharing(settings));
        const restored = restoreSharing(settings, asKept(state));
        assert.deepEqual(restored, state);
        assert.deepEqual(later.reduce(after, restored), later.reduce(after, state));
      }),
    );
  });

  test('what is no state of these settings begins anew', () => {
    const settings = { ownGroups: 4, peerGroups: 4 };
    const fresh = startSharing(settings);
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (junk) => {
        assert.deepEqual(restoreSharing(settings, junk as JsonValue), fresh);
      }),
    );
    const kept = asKept(afterComparison(fresh, { difference: 0.1, standardError: 0.01 })) as Record<string, JsonValue>;
    assert.notDeepEqual(restoreSharing(settings, kept), fresh);
    const wrong: Record<string, JsonValue>[] = [
      { total: 9 },
      { level: 4 },
      { level: 1.5 },
      { comparisons: -1 },
      { triedFrom: 0 },
      { restedRounds: 'x' },
      { evidence: [] },
      { evidence: [null, null, null, null] },
      { evidence: Array<JsonValue>(4).fill({ weight: 1, weighted: 7, count: 1 }) },
      { evidence: Array<JsonValue>(4).fill({ weight: 0, weighted: 0, count: 1 }) },
    ];
    for (const part of wrong) assert.deepEqual(restoreSharing(settings, { ...kept, ...part }), fresh);
  });
});

describe('levels', () => {
  test('are quarters of the round, without the last', () => {
    assert.deepEqual([8, 4, 3, 2, 1].map(sharingLevels), [[0, 2, 4, 6], [0, 1, 2, 3], [0, 1, 2], [0, 1], [0]]);
    assert.deepEqual(mixOf(startSharing({ ownGroups: 4, peerGroups: 4 })), { ownGroups: 4, peerGroups: 4 });
    assert.deepEqual(mixOf(startSharing({ ownGroups: 0, peerGroups: 8 })), { ownGroups: 2, peerGroups: 6 });
    assert.deepEqual(mixOf(startSharing({ ownGroups: 7, peerGroups: 1 })), { ownGroups: 8, peerGroups: 0 });
  });
});

/** J after each event: a comparison, or at J = 0 a round. `benefit` by J and the number of events so far. */
function follow(benefit: (peerGroups: number, at: number) => number, events: number, standardError = 0.01): number[] {
  let state = startSharing({ ownGroups: 4, peerGroups: 4 });
  return Array.from({ length: events }, (_, at) => {
    const { peerGroups } = mixOf(state);
    if (peerGroups === 0) state = afterSharedRound(state);
    else state = afterComparison(state, { difference: benefit(peerGroups, at), standardError });
    return mixOf(state).peerGroups;
  });
}
const share = (path: readonly number[], wanted: number): number =>
  path.filter((peerGroups) => peerGroups === wanted).length / path.length;

describe('what it follows', () => {
  test('harm takes J down to 0 within four comparisons; after a rest it is tried anew, and stays where it helps by then', () => {
    const harmful = follow(() => -0.05, REST_ROUNDS + 10);
    assert.deepEqual(harmful.slice(0, 5), [4, 2, 2, 0, 0]);
    assert.deepEqual(harmful.slice(REST_ROUNDS + 2, REST_ROUNDS + 8), [0, 2, 2, 0, 0, 0]);
    const turned = follow((_, at) => (at < REST_ROUNDS ? -0.05 : 0.05), REST_ROUNDS + 50);
    assert.equal(turned[REST_ROUNDS], 0);
    assert.ok(turned.slice(-40).every((peerGroups) => peerGroups > 0));
  });

  test('a level that is better than its neighbours is found from below and from above, and is where J mostly is', () => {
    for (const top of [2, 4, 6]) {
      const path = follow((peerGroups) => 0.12 - 0.03 * Math.abs(peerGroups - top), 400).slice(20);
      assert.ok(share(path, top) > 0.6, `J = ${top}: ${share(path, top)}`);
    }
  });

  test('where all levels help alike, others are tried now and then and given up again', () => {
    const path = follow(() => 0.05, 300);
    assert.deepEqual(new Set(path), new Set([2, 4, 6]));
    assert.ok(share(path, 4) > 0.6, String(share(path, 4)));
  });

  test('differences within their error move nothing', () => {
    const sign = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(sign, (noise) => {
        assert.ok(noise.every((_, i) => follow(() => 0.009 * noise[i]!, noise.length)[i] === 4));
      }),
    );
    assert.deepEqual(new Set(follow(() => 0, 200)), new Set([4]));
  });

  test('one comparison alone moves nothing, however clear', () => {
    assert.deepEqual(
      follow(() => -1, 1, 0),
      [4],
    );
  });
});
