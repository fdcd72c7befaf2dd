// What the meter may spend, and what its comparisons say together in plain words.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BenefitRow } from '../../../src-main/engine/api.ts';
import { benefitFindings, benefitReport, SHOWN_ROWS } from '../../../src-main/engine/benefit/benefit-report.ts';
import { likelyCost, saveUp } from '../../../src-main/engine/benefit/budget.ts';

const row = (round: number, points: number, more: Partial<BenefitRow> = {}): BenefitRow => ({
  round,
  fromRound: round - 25,
  at: round,
  taskSet: 'starter',
  taskSetVersion: 1,
  tasks: 128,
  answers: 4,
  withPeers: 0.5 + points / 100,
  alone: 0.5,
  standardError: 0.01,
  groupsWithPeers: 200,
  groupsFromPeers: 100,
  groupsAlone: 200,
  seconds: 9,
  ...more,
});
const rows = (...points: number[]): BenefitRow[] => points.map((value, i) => row(100 * (i + 1), value));
const settings = { percent: 5, sharing: { mode: 'fixed', ownGroups: 4, peerGroups: 4 } } as const;

describe('findings', () => {
  test('in words: nothing, one, few, chance, help, hurt', () => {
    assert.deepEqual(benefitFindings([]), { verdict: 'none', pooled: null, text: 'No comparison yet.' });
    const say = (...points: number[]): [string, string] => {
      const { verdict, text } = benefitFindings(rows(...points));
      return [verdict, text];
    };
    assert.deepEqual(say(2.1), [
      'early',
      'With peers’ rollouts your policy scores 2.1 points higher on held-out tasks, 95 % interval +0.1 to +4.1, from one comparison; too early to tell.',
    ]);
    assert.equal(say(2, 4)[0], 'early', 'two comparisons that agree are still two');
    assert.deepEqual(say(3, -1, 1), [
      'inconclusive',
      'With peers’ rollouts your policy scores 1.0 points higher on held-out tasks, 95 % interval −4.0 to +6.0, from 3 comparisons; that may still be chance.',
    ]);
    assert.match(say(5, 6, 5, 6)[1], /5\.5 points higher .* from 4 comparisons: they help\.$/);
    assert.deepEqual([say(5, 6, 5, 6)[0], say(-5, -6, -5, -6)[0]], ['helps', 'hurts']);
    assert.match(say(-5, -6, -5, -6)[1], /5\.5 points lower .* −[\d.]+ to −[\d.]+.*: they hurt\.$/);
    assert.match(say(0, 0, 0)[1], /scores as well as without on held-out tasks/);
  });

  test('only fair comparisons of the present tasks count, and the older of many do not', () => {
    const unfair = row(50, 60, { groupsAlone: 150 });
    assert.deepEqual(benefitFindings([unfair]), {
      verdict: 'none',
      pooled: null,
      text: 'No fair comparison yet: without peers the policy found only 150 of 200 groups worth training on, even among four times the tasks.',
    });
    const others = [row(10, 60, { taskSet: 'easy' }), row(20, 60, { taskSetVersion: 0 }), unfair];
    assert.deepEqual(benefitFindings([...others, ...rows(1, 2, 3)]), benefitFindings(rows(1, 2, 3)));
    const many = Array.from({ length: 100 }, (_, i) => row(i, i < 70 ? 60 : i % 2));
    const { pooled } = benefitFindings(many);
    assert.equal(pooled!.comparisons, 30);
    assert.ok(Math.abs(pooled!.mean - 0.005) < 1e-9);
    assert.equal(benefitReport(many, { name: 'comparing' }, settings).rows.length, SHOWN_ROWS);
    const told = benefitReport([row(10, 1), unfair, row(90, 2, { groupsAlone: 190 })], { name: 'comparing' }, settings);
    assert.deepEqual(
      told.rows.map(({ counts }) => counts),
      [true, false, true],
    );
  });

  test('what is going on has a sentence each, and a rest is told as one', () => {
    const say = (activity: Parameters<typeof benefitReport>[1]): string =>
      benefitReport([], activity, settings).activityText;
    assert.match(say({ name: 'off', why: { kind: 'bridge' } }), /BRIDGE/);
    assert.match(say({ name: 'saving', share: 0.499 }), / 49 % so far\.$/);
    assert.match(say({ name: 'saving', share: -3 }), / 0 % so far\.$/);
    assert.match(say({ name: 'saving', share: 1 }), /after this round/);
    assert.match(say({ name: 'following', round: 3, rounds: 25 }), /round 3 of 25 with peers/);
    assert.match(say({ name: 'comparing' }), /once more without peers/);
    assert.match(say({ name: 'noPeers' }), /nothing to compare/);
    const resting = { percent: 5, sharing: { mode: 'adaptive', ownGroups: 8, peerGroups: 0 } } as const;
    assert.match(benefitReport([], { name: 'noPeers' }, resting).activityText, /left out for some hundred rounds/);
  });
});

test('never more is spent than the share of all rounds, but for what the last comparison took above its estimate', () => {
  const size = { rounds: 25, answers: 512, answersPerRound: 64 };
  const tokens = fc.record({ generated: fc.nat(5000), trained: fc.nat(5000) });
  const percents = fc.double({ min: 0.1, max: 50, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(tokens, { maxLength: 400 }),
      percents,
      fc.double({ min: 0.5, max: 2, noNaN: true }),
      (all, percent, misjudged) => {
        let [saved, spent, computed] = [0, 0, 0];
        for (const round of all) {
          computed += round.generated + round.trained;
          saved = saveUp(saved, round, percent, size);
          const estimate = likelyCost(round, size);
          if (estimate === 0 || saved < estimate) continue;
          const cost = estimate * misjudged;
          spent += cost;
          saved -= cost;
          assert.ok(spent <= (percent / 100) * computed + Math.max(0, cost - estimate) + 1e-6);
        }
        assert.ok(saved <= (percent / 100) * computed - spent + 1e-6);
      },
    ),
  );
});
