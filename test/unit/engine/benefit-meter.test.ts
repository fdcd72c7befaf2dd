// The benefit meter between real rounds: what it compares, that training has the same bits with and without it, and what ends a comparison.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { ComputeDiedError, ComputeError } from '../../../native-models/runtime/compute-host.ts';
import { openRounds, savedUp, type Rounds } from './benefit-rounds.ts';

const ROUNDS = 4;
/** Begun after round 1, so over rounds 2 and 3. */
const COMPARED_AFTER = 3;

let undisturbed: number[][];
before(async () => {
  const rounds = openRounds({ meter: false });
  await rounds.run(ROUNDS);
  undisturbed = await rounds.scores();
});

const refused = (code: string) => new ComputeError({ code, message: `said ${code}`, fix: 'none' });

test('a comparison: equally many groups, the same held-out tasks for both, and training goes on bit for bit', async () => {
  const rounds = openRounds({ kept: savedUp, settings: { sharing: 'adaptive' } });
  const calls: string[] = [];
  rounds.intercept = (name, args) => calls.push(name === 'branch' ? String(args) : name);
  await rounds.run(ROUNDS);
  assert.deepEqual(await rounds.scores(), undisturbed);

  const [row] = rounds.rows;
  const trained = rounds.results.slice(1, COMPARED_AFTER);
  const groups = trained.reduce((sum, { trainedOwn, adopted }) => sum + trainedOwn.length + adopted.length, 0);
  assert.deepEqual(
    [row!.fromRound, row!.round, row!.tasks, row!.answers, row!.taskSet],
    [1, COMPARED_AFTER, 5, 4, 'starter'],
  );
  assert.deepEqual([row!.groupsWithPeers, row!.groupsFromPeers, row!.groupsAlone], [groups, 4, groups]);
  assert.ok(groups >= 6, String(groups));
  for (const score of [row!.withPeers, row!.alone]) assert.ok(score >= 0 && score <= 1 && Number.isInteger(score * 20));
  assert.ok(row!.standardError >= 0.1 && row!.seconds > 0);
  assert.deepEqual(
    calls.filter((name) => ['keep', 'exchange', 'drop'].includes(name)),
    ['keep', 'exchange', 'exchange', 'drop', 'keep'],
  );
  assert.equal(rounds.rows.length, 1);
  assert.deepEqual([...new Set(rounds.told.map(({ activity }) => activity))], ['following', 'comparing', 'saving']);
  assert.deepEqual(rounds.told.at(-1)!.rows, [{ ...row, counts: true }]);

  const again = openRounds({ kept: savedUp });
  await again.run(COMPARED_AFTER);
  const timeless = ({ seconds: _, ...rest }: NonNullable<typeof row>) => rest;
  assert.deepEqual(timeless(again.rows[0]!), timeless(row!), 'the same rounds give the same comparison');
});

test('the branch without peers is trained without them: with a policy that peers teach nothing both branches are one', async () => {
  const rounds = openRounds({ kept: savedUp, settings: { learningRate: 1e-9 } });
  await rounds.run(COMPARED_AFTER);
  const [{ withPeers, alone, standardError }] = rounds.rows as [(typeof rounds.rows)[0]];
  assert.deepEqual(
    [withPeers, standardError],
    [alone, 0.1],
    'the same random numbers: no difference, and none pretended',
  );
});

describe('what ends a comparison without a trace', () => {
  /** Runs into a comparison and throws `error` (or gives up) at its n-th call of this name. */
  async function endedAt(name: string, nth: number, end: (rounds: Rounds) => void) {
    const rounds = openRounds({ kept: savedUp });
    let seen = 0;
    rounds.intercept = (called) => {
      if (!rounds.meter.isComparing || called !== name || ++seen !== nth) return;
      end(rounds);
    };
    await rounds.run(ROUNDS);
    assert.deepEqual(await rounds.scores(), undisturbed);
    return rounds;
  }

  for (const [what, name, nth] of [
    ['while the branch answers', 'generate', 3],
    ['while the branch is examined', 'generate', 6],
  ] as const)
    test(`it is given up ${what}, and begun anew`, async () => {
      const rounds = await endedAt(name, nth, ({ meter }) => meter.abandon());
      assert.deepEqual([rounds.rows, rounds.meter.report().activity], [[], 'following']);
      assert.match(rounds.log[0]!, /given up; it is begun anew later/);
    });

  test('a call is cancelled', async () => {
    const rounds = await endedAt('accumulate', 1, () => {
      throw refused('cancelled');
    });
    assert.deepEqual([rounds.rows.length, rounds.meter.report().activity], [0, 'following']);
  });

  test('a call fails: nothing is measured until the next start, and training goes on', async () => {
    const rounds = await endedAt('accumulate', 1, () => {
      throw refused('gradientNotFinite');
    });
    const { activity, activityText } = rounds.meter.report();
    assert.deepEqual([rounds.rows.length, activity], [0, 'off']);
    assert.match(activityText, /until the node is started again, because a comparison failed: said gradientNotFinite/);
  });

  test('the set of tasks is changed meanwhile', async () => {
    const rounds = openRounds({ kept: savedUp });
    await rounds.run(2);
    rounds.chooseTasks('easy');
    await rounds.run(1);
    assert.deepEqual([rounds.rows, rounds.meter.isComparing], [[], false]);
  });
});

describe('what needs a new process', () => {
  test('its death is told, and the next process begins a comparison of its own', async () => {
    const rounds = openRounds({ kept: savedUp });
    rounds.intercept = (name) => {
      if (rounds.meter.isComparing && name === 'accumulate')
        throw new ComputeDiedError({ code: null, signal: 'SIGKILL' });
    };
    await assert.rejects(rounds.run(ROUNDS), ComputeDiedError);
    assert.deepEqual([rounds.meter.isComparing, rounds.rows], [false, []]);
    rounds.meter.restore(rounds.kept);
    assert.equal(rounds.meter.report().activity, 'saving');
  });

  test('a policy that could not be put back is not trained on', async () => {
    const rounds = openRounds({ kept: savedUp });
    let exchanges = 0;
    rounds.intercept = (name, args) => {
      if (name === 'branch' && args === 'exchange' && ++exchanges === 2) throw refused('computeFailed');
    };
    await assert.rejects(rounds.run(ROUNDS), { code: 'computeFailed', message: /could not be put back/ });
    assert.equal(rounds.results.length, COMPARED_AFTER);
  });

  test('a new process in the middle of the rounds to compare: they are forgotten', async () => {
    const rounds = openRounds({ kept: savedUp });
    await rounds.run(2);
    rounds.renewCompute();
    await rounds.run(1);
    assert.deepEqual([rounds.rows, rounds.meter.report().activity], [[], 'following']);
    await rounds.run(2);
    assert.deepEqual(
      rounds.rows.map(({ fromRound }) => fromRound),
      [3],
    );
  });
});

describe('when', () => {
  test('once enough is saved up, never spending more than its share, and going on where a restart left it', async () => {
    const settings = { benefitPercent: 50, benefitTasks: 2, benefitRounds: 1 };
    const rounds = openRounds({ settings });
    await rounds.run(3);
    assert.deepEqual(rounds.rows, []);
    const { activity, activityText } = rounds.meter.report();
    assert.equal(activity, 'saving');
    assert.match(activityText, /^The next comparison begins when enough computing is saved up for it: \d+ % so far\.$/);
    const { kept } = rounds;
    await rounds.run(12);
    assert.ok(rounds.rows.length >= 1 && rounds.rows.length <= 4, String(rounds.rows.length));
    assert.ok((kept as { saved: number }).saved > 0);
    const restarted = openRounds({ settings, kept });
    assert.match(restarted.meter.report().activityText, /^No peers’ groups/, 'no round yet in this start');
    await restarted.run(1);
    assert.ok((restarted.kept as { saved: number }).saved > (kept as { saved: number }).saved);
  });

  test('not without peers, and not for a policy of which a second copy would be too large', async () => {
    for (const [options, words] of [
      [{ peers: false }, /^No peers’ groups were trained on/],
      [{ opened: { trainedParameters: 1e9 } }, /a second copy of what is trained would take 11\.2 GB/],
    ] as const) {
      const rounds = openRounds({ kept: savedUp, ...options });
      const calls: string[] = [];
      rounds.intercept = (name) => calls.push(name);
      await rounds.run(1);
      assert.deepEqual(calls, []);
      const { verdict, activityText } = rounds.meter.report();
      assert.equal(verdict, 'none');
      assert.match(activityText, words);
    }
  });

  test('not where it is switched off', () => {
    for (const [settings, words] of [
      [{ benefitPercent: 0 }, /benefitPercent is 0/],
      [{ swarmEnabled: false }, /swarm is switched off/],
      [{ peerGroups: 0 }, /peerGroups is 0/],
    ] as const) {
      const { activity, activityText } = openRounds({ settings }).meter.report();
      assert.equal(activity, 'off');
      assert.match(activityText, words);
    }
  });
});

describe('adaptive sharing', () => {
  test('J follows the comparisons, is kept with the round, and is what the next round trains on', async () => {
    const settings = { sharing: 'adaptive', ownGroups: 2, peerGroups: 2 };
    const harmed: Record<string, unknown> = {
      total: 4,
      level: 2,
      comparisons: 1,
      triedFrom: null,
      restedRounds: 0,
      evidence: [0, 0, 1, 0].map((count) => ({ weight: 9999 * count, weighted: -9999 * count, count })),
    };
    const rounds = openRounds({ settings, kept: { saved: 1e9, sharing: harmed as never } });
    await rounds.run(COMPARED_AFTER);
    assert.deepEqual(rounds.meter.mix, { ownGroups: 3, peerGroups: 1 }, 'the second harmful comparison takes it down');
    await rounds.run(1);
    assert.equal(rounds.results.at(-1)!.adopted.length, 1);
    const { kept } = rounds;
    const restarted = openRounds({ settings, kept });
    assert.deepEqual(restarted.meter.mix, { ownGroups: 3, peerGroups: 1 });
    assert.deepEqual(restarted.meter.report().sharing, { mode: 'adaptive', ownGroups: 3, peerGroups: 1 });
    const fixed = openRounds({ kept });
    assert.deepEqual(fixed.meter.mix, { ownGroups: 2, peerGroups: 2 });
  });
});
