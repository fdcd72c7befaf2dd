// Which rounds count, with the file's and the history's errors injected where they occur; the compute process only counts steps.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { OpenedPolicy } from '../../../native-models/runtime/compute-protocol.ts';
import { DiskFullError } from '../../../src-main/base/atomic-file.ts';
import { createLog } from '../../../src-main/base/log.ts';
import { RoundLedger, type RedoEntry } from '../../../src-main/engine/rounds/round-ledger.ts';
import type { RoundRecord } from '../../../src-main/store/store.ts';
import type { TrainOutcome } from '../../../src-main/train/outcome.ts';
import type { TrainPlan } from '../../../src-main/train/train-round.ts';

const plan: TrainPlan = {
  epochs: 1,
  maxTokens: 64,
  maxGradientNorm: 1,
  parts: [{ source: 'own', objective: 'grpo', rows: [] }],
  optimizers: [{ learningRate: 1e-4, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }],
};
const result = (round: number) => ({
  round,
  plan,
  outcome: { policyVersion: round } as TrainOutcome,
  practised: `after ${round}`,
  benefit: `measured ${round}`,
});
const entry = (round: number, policy = 'bee'): RedoEntry => ({ round, policy, plan });
const opened = (round: number | null, name = 'bee') =>
  ({ name, version: round ?? 0, bridge: null, state: round === null ? null : { round } }) as unknown as OpenedPolicy;

function ledgerOf(entries: RedoEntry[] = []) {
  const logged: number[] = entries.map(({ round }) => round);
  const recorded: number[] = [];
  const told: unknown[] = [];
  const rewound: number[] = [];
  const fail: { append?: string; record?: Error } = {};
  const log = createLog({ directory: null });
  let steps = 0;
  const calls: string[] = [];
  const states: unknown[] = [];
  const compute = {
    call: (name: string, args: { state: unknown }) => {
      calls.push(name);
      if (name === 'save') states.push(args.state);
      if (name === 'accumulate') return Promise.resolve({ loss: 0, metrics: {}, tokens: 1 });
      if (name === 'update')
        return Promise.resolve({ version: ++steps, applied: true, gradientNorm: 1, learningRate: 1e-4 });
      return Promise.resolve(null);
    },
  } as unknown as ComputeHost;
  const ledger = new RoundLedger({
    store: {
      recordRound: ({ round }: RoundRecord) => {
        if (fail.record) throw fail.record;
        recorded.push(round.round);
        return { row: { round: round.round }, rollouts: [] } as never;
      },
      rewindTo: (round) => void rewound.push(round),
    },
    log: log.for('engine'),
    onRecorded: (event) => told.push(event),
  });
  ledger.open({
    policy: { identity: 'weights:bee', name: 'bee' },
    redo: {
      append: (added: RedoEntry) => {
        if (fail.append) return Promise.reject(Object.assign(new Error(fail.append), { code: fail.append }));
        logged.push(added.round);
        return Promise.resolve();
      },
      clear: () => {
        logged.splice(0);
        return Promise.resolve();
      },
    },
    entries,
    directory: import.meta.dirname,
  });
  const commit = (round: number): Promise<void> =>
    ledger.commit(result(round), () => ({ round: { round } }) as unknown as RoundRecord);
  return {
    ledger,
    commit,
    compute,
    calls,
    states,
    logged,
    recorded,
    told,
    rewound,
    fail,
    rows: () => log.rows({ limit: 50, level: 'warn' }),
  };
}

describe('a round', () => {
  test('is logged, then recorded, then told; a checkpoint empties the log', async () => {
    const { ledger, commit, compute, calls, logged, recorded, told } = ledgerOf();
    await commit(1);
    await commit(2);
    assert.deepEqual([logged, recorded, told.length], [[1, 2], [1, 2], 2]);
    assert.deepEqual([ledger.round, ledger.policyVersion, ledger.lastCheckpointAt], [2, 2, null]);
    assert.deepEqual(ledger.loggedObjectives, ['grpo', 'grpo']);
    await ledger.checkpoint(compute);
    assert.deepEqual([logged, ledger.loggedObjectives, calls], [[], [], ['save']]);
    await ledger.checkpoint(compute);
    assert.equal(calls.length, 1, 'nothing new, nothing saved');
    assert.ok(!ledger.checkpointDue(60_000) && ledger.checkpointDue(0));
  });

  test('the disk is full for the log: it waits in memory, is neither told nor recorded, and comes first later', async () => {
    const { ledger, commit, logged, recorded, fail } = ledgerOf();
    await commit(1);
    fail.append = 'ENOSPC';
    await assert.rejects(commit(2), DiskFullError);
    await assert.rejects(ledger.settle(), DiskFullError);
    assert.deepEqual([logged, recorded, ledger.round], [[1], [1], 2]);
    delete fail.append;
    await ledger.settle();
    await ledger.settle();
    assert.deepEqual(
      [logged, recorded],
      [
        [1, 2],
        [1, 2],
      ],
    );
  });

  test('the disk is full for the history: it is logged once only', async () => {
    const { ledger, commit, logged, recorded, fail } = ledgerOf();
    fail.record = new DiskFullError('waggle.sqlite', 0);
    await assert.rejects(commit(1), DiskFullError);
    await assert.rejects(ledger.settle(), DiskFullError);
    delete fail.record;
    await ledger.settle();
    assert.deepEqual([logged, recorded], [[1], [1]]);
  });

  test('another error of the file comes through as it is', async () => {
    const { commit, fail } = ledgerOf();
    fail.append = 'EIO';
    await assert.rejects(commit(1), { code: 'EIO' });
  });

  test('unwritten, it is trained again in memory when the compute process dies, and written afterwards', async () => {
    const { ledger, commit, compute, calls, logged, fail } = ledgerOf();
    await commit(1);
    fail.append = 'ENOSPC';
    await assert.rejects(commit(2), DiskFullError);
    await ledger.replay(compute, opened(null));
    assert.deepEqual([ledger.round, ledger.policyVersion, calls.filter((call) => call === 'update').length], [2, 2, 2]);
    delete fail.append;
    await ledger.settle();
    assert.deepEqual(logged, [1, 2]);
  });
});

describe('what was practised', () => {
  const kept = (round: number): RedoEntry => ({
    ...entry(round),
    practised: `after ${round}`,
    benefit: `measured ${round}`,
  });

  test('is kept with each round and with the checkpoint', async () => {
    const { ledger, commit, compute, states } = ledgerOf();
    assert.deepEqual([ledger.practised, ledger.benefit], [null, null]);
    await commit(1);
    await commit(2);
    await ledger.checkpoint(compute);
    const kept = { practised: 'after 2', benefit: 'measured 2' };
    assert.deepEqual([ledger.practised, ledger.benefit, states], ['after 2', 'measured 2', [{ round: 2, ...kept }]]);
  });

  test('comes back from the checkpoint, and from the rounds after it', async () => {
    const state = { round: 2, practised: 'after 2', benefit: 'measured 2' };
    const checkpoint = { ...opened(2), state } as unknown as OpenedPolicy;
    const alone = ledgerOf();
    await alone.ledger.replay(alone.compute, checkpoint);
    assert.deepEqual([alone.ledger.practised, alone.ledger.benefit], ['after 2', 'measured 2']);
    const { ledger, compute } = ledgerOf([kept(3), kept(4)]);
    await ledger.replay(compute, checkpoint);
    assert.deepEqual([ledger.practised, ledger.benefit], ['after 4', 'measured 4']);
  });

  test('is nothing after checkpoints and logs of older versions', async () => {
    const { ledger, compute } = ledgerOf([kept(3), entry(4)]);
    await ledger.replay(compute, opened(2));
    assert.deepEqual([ledger.practised, ledger.benefit], [null, null]);
  });
});

describe('after a start', () => {
  test('the rounds after the checkpoint are trained again, those before it are not', async () => {
    const { ledger, compute, calls, rewound, rows } = ledgerOf([1, 2, 3, 4].map((round) => entry(round)));
    await ledger.replay(compute, opened(2));
    assert.equal(calls.filter((call) => call === 'update').length, 2);
    assert.deepEqual([ledger.round, rewound, rows()], [4, [4], []]);
  });

  test('a round in which there was nothing to train on counts', async () => {
    const { ledger, compute, calls } = ledgerOf([
      { ...entry(1), plan: null },
      { ...entry(2), plan: null },
    ]);
    await ledger.replay(compute, opened(null));
    assert.deepEqual([ledger.round, calls], [2, []]);
  });

  for (const [what, rounds, kept] of [
    ['a gap at the start', [5, 6], []],
    ['a gap in the middle', [3, 4, 6, 7], [3, 4]],
    ['a round twice', [3, 3, 4], [3]],
    ['rounds backwards', [4, 3], []],
  ] as const) {
    test(`${what}: what follows without a gap is kept, in the file too, and the rest is named`, async () => {
      const { ledger, compute, logged, rows } = ledgerOf(rounds.map((round) => entry(round)));
      await ledger.replay(compute, opened(2));
      assert.deepEqual([ledger.round, logged], [kept.at(-1) ?? 2, kept]);
      assert.match(rows()[0]!.message, /logged rounds do not follow the checkpoint of round 2; they are left out/);
    });
  }

  test('rounds of another policy: an error with the fix, before anything is trained or forgotten', async () => {
    const { ledger, compute, calls, logged, rewound } = ledgerOf([entry(1), entry(2, 'wasp')]);
    await assert.rejects(ledger.replay(compute, opened(null)), {
      code: 'foreign',
      message: /"wasp".*"bee"/,
      fix: /--data/,
    });
    assert.deepEqual([calls, logged, rewound], [[], [1, 2], []]);
    // Those before the checkpoint are of no interest.
    const old = ledgerOf([entry(1, 'wasp'), entry(2)]);
    await old.ledger.replay(old.compute, opened(1));
    assert.equal(old.ledger.round, 2);
  });
});

test('logged rounds of another method of training are refused with what to do, never trained by the wrong one', async () => {
  const asBridge = { ...opened(null), bridge: { startedAt: 0 } } as unknown as OpenedPolicy;
  const bridge = { sft: 'sft', demonstrations: [], lambdas: [1], adapters: [] } as const;
  const bridged = (round: number): RedoEntry => ({ ...entry(round), plan: { ...plan, bridge: structuredClone(bridge) as never } }); // prettier-ignore
  for (const [entries, now, was] of [
    [[entry(1), entry(2)], asBridge, 'sapo'],
    [[bridged(1)], opened(null), 'bridge'],
  ] as const) {
    const { ledger, compute, calls } = ledgerOf([...entries]);
    await assert.rejects(ledger.replay(compute, now), (error) => {
      const { code, fix } = error as { code: string; fix: string };
      return code === 'foreign' && fix.includes(`--method ${was}`);
    });
    assert.deepEqual(calls, []);
  }
  assert.deepEqual(ledgerOf([bridged(1)]).ledger.loggedObjectives, ['grpo', 'sft']);
});
