import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { DiskFullError } from '../../../src-main/base/atomic-file.ts';
import type * as api from '../../../src-main/engine/api.ts';
import { openDatabase } from '../../../src-main/store/open-database.ts';
import type { NewRolloutGroup } from '../../../src-main/store/rows.ts';
import { createStore, openStore, type RoundRecord, type Store } from '../../../src-main/store/store.ts';
import { applicationId, migrations } from '../../../src-main/store/schema.ts';
import { StoreError } from '../../../src-main/store/store-error.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let serial = 0;
const freshPath = () => join(folder, `${++serial}.sqlite`);
const roomy = { rounds: 1_000_000, bytes: 1e9 };
const noWarning = (message: string) => assert.fail(message);
const open = (path = freshPath(), retention = roomy): Store => openStore(path, { retention, warn: noWarning });

const group = (round: number, own: boolean, more: Partial<NewRolloutGroup> = {}): NewRolloutGroup => ({
  round,
  at: round * 1000,
  origin: (own ? 'a' : 'b').repeat(64),
  own,
  policyName: 'tiny',
  task: { generator: 'chain_sum', version: 1, config: {}, seed: '1', index: round },
  question: '1 + 1',
  answer: '2',
  completions: [
    { text: '2', ended: true, reward: 1, advantage: 0.5 },
    { text: '3', ended: false, reward: 0, advantage: null },
  ],
  ...more,
});

const record = (round: number, more: Partial<RoundRecord> = {}): RoundRecord => ({
  round: {
    round,
    finishedAt: round * 1000,
    seconds: 1.5,
    policyVersion: round,
    metrics: { ownReward: round / 1000, peers: 2 },
  },
  ...more,
});

test('what is recorded comes back, also after a restart', () => {
  const path = freshPath();
  const store = open(path);
  const out = store.recordRound(
    record(1, {
      rollouts: [group(1, true), group(1, false)],
      peers: [
        {
          peer: 'b'.repeat(64),
          own: false,
          at: 7,
          policyName: 'theirs',
          groupsVerified: 1,
          completionsVerified: 2,
          completionsRight: 1,
        },
      ],
      counters: { generatedTokens: 10, 'rejected.forgedSignature': 2 },
    }),
  );
  assert.equal(out.rollouts.length, 4);
  store.setNote('paused', 'yes');
  store.close();
  store.close();

  const again = open(path);
  const rounds: api.RoundRow[] = again.rounds({ sinceRound: 0, limit: 10 });
  assert.deepEqual(rounds, [
    { round: 1, finishedAt: 1000, seconds: 1.5, policyVersion: 1, metrics: { ownReward: 0.001, peers: 2 } },
  ]);
  const rollouts: api.RolloutRow[] = again.rollouts({ limit: 10, beforeId: null, origin: 'all' });
  assert.deepEqual(rollouts, out.rollouts.toReversed());
  assert.deepEqual(rollouts.at(-1), {
    id: 1,
    round: 1,
    at: 1000,
    origin: 'a'.repeat(64),
    own: true,
    policyName: 'tiny',
    task: { generator: 'chain_sum', version: 1, config: {}, seed: '1', index: 1 },
    question: '1 + 1',
    answer: '2',
    completion: '2',
    ended: true,
    reward: 1,
    advantage: 0.5,
  });
  const leaders: api.LeaderboardRow[] = again.leaderboard();
  assert.deepEqual(leaders, [
    {
      peer: 'b'.repeat(64),
      own: false,
      displayName: null,
      policyName: 'theirs',
      groupsVerified: 1,
      completionsVerified: 2,
      completionsRight: 1,
      groupsAdopted: 0,
      rejected: 0,
      firstSeenAt: 7,
      lastSeenAt: 7,
    },
  ]);
  assert.deepEqual(again.counters(), { generatedTokens: 10, 'rejected.forgedSignature': 2 });
  assert.equal(again.note('paused'), 'yes');
  again.setNote('paused', null);
  assert.equal(again.note('paused'), null);
  again.close();
});

test('pages of rollouts, by origin', () => {
  const store = open();
  for (let round = 1; round <= 10; round++)
    store.recordRound(record(round, { rollouts: [group(round, true), group(round, false)] }));
  const seen: number[] = [];
  for (let beforeId: number | null = null; ;) {
    const page = store.rollouts({ limit: 7, beforeId, origin: 'own' });
    if (page.length === 0) break;
    assert.ok(page.every((row) => row.own));
    seen.push(...page.map((row) => row.id));
    beforeId = page.at(-1)!.id;
  }
  assert.equal(seen.length, 20);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => b - a),
  );
  assert.equal(store.rollouts({ limit: 99, beforeId: null, origin: 'peers' }).length, 20);
  assert.deepEqual(store.rollouts({ limit: 5, beforeId: 1, origin: 'all' }), []);
  store.close();
});

test('a round recorded twice counts once, and metrics that went away go', () => {
  const store = open();
  store.recordRound(record(1, { rollouts: [group(1, true)] }));
  store.recordRound({
    round: { round: 1, finishedAt: 5, seconds: 2, policyVersion: 9, metrics: { truncated: 0.5, ownReward: NaN } },
    rollouts: [group(1, true)],
  });
  assert.deepEqual(store.rounds({ sinceRound: 0, limit: 9 }), [
    { round: 1, finishedAt: 5, seconds: 2, policyVersion: 9, metrics: { truncated: 0.5 } },
  ]);
  assert.equal(store.rollouts({ limit: 9, beforeId: null, origin: 'all' }).length, 2);
  store.close();
});

const exam = (round: number, greedy = 0.5): api.ExamRow => ({
  round,
  at: round * 1000,
  policyVersion: round,
  taskSet: 'starter',
  taskSetVersion: 1,
  tasks: 64,
  greedy,
  sampled: 0.25,
  seconds: 1.5,
  byTask: [{ generator: 'chain_sum', tasks: 64, greedy, sampled: 0.25 }],
});

test('exams come back as they were, oldest first, one a round, and are rewound with the rounds', () => {
  const path = freshPath();
  let store = open(path);
  assert.deepEqual([store.exams(9), store.lastExamRound()], [[], null]);
  for (const round of [200, 100, 300]) store.recordExam(exam(round));
  store.recordExam(exam(200, 0.75));
  store.close();
  store = open(path);
  assert.deepEqual(store.exams(9), [exam(100), exam(200, 0.75), exam(300)]);
  assert.deepEqual(store.exams(2), [exam(200, 0.75), exam(300)]);
  store.rewindTo(250);
  assert.deepEqual([store.exams(9).length, store.lastExamRound()], [2, 200]);
  store.close();
});

const benefit = (round: number, withPeers = 0.5): api.BenefitRow => ({
  round,
  fromRound: round - 25,
  at: round * 1000,
  taskSet: 'starter',
  taskSetVersion: 1,
  tasks: 128,
  answers: 4,
  withPeers,
  alone: 0.45,
  standardError: 0.02,
  groupsWithPeers: 200,
  groupsFromPeers: 90,
  groupsAlone: 198,
  seconds: 12.5,
});

test('comparisons come back as they were, oldest first, one a round, by policy, and are rewound with the rounds', () => {
  const path = freshPath();
  let store = open(path);
  assert.deepEqual(store.benefits(9), []);
  for (const round of [200, 100, 300]) store.recordBenefit(benefit(round));
  store.recordBenefit(benefit(200, 0.75));
  store.close();
  store = open(path);
  assert.deepEqual(store.benefits(9), [benefit(100), benefit(200, 0.75), benefit(300)]);
  assert.deepEqual(store.benefits(1), [benefit(300)]);
  store.rewindTo(250);
  assert.deepEqual(store.benefits(9), [benefit(100), benefit(200, 0.75)]);
  store.usePolicy({ identity: 'other', name: 'other', directory: '/other', claim: false });
  assert.deepEqual(store.benefits(9), []);
  store.close();
});

/** As an older Waggle left it: so many steps of the schema, one round and its rollout. */
function olderHistory(formats: number): string {
  const path = freshPath();
  const raw = new DatabaseSync(path);
  for (const step of migrations.slice(0, formats)) raw.exec(step);
  raw.exec(`
    PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formats};
    INSERT INTO rounds VALUES (7, 7000, 1.5, 7);
    INSERT INTO metric_names (name) VALUES ('ownReward');
    INSERT INTO metrics VALUES (7, 1, 0.5);
    INSERT INTO rollout_groups (round, at, origin, policy_name, task, question, answer)
      VALUES (7, 7000, 'a', 'tiny', '{"generator":"chain_sum","version":1,"config":{},"seed":"1","index":0}', '1', '2');
    INSERT INTO rollouts (group_id, own, completion, ended, reward) VALUES (1, 1, 'two', 1, 1);`);
  if (formats > 1) raw.exec("INSERT INTO exams VALUES (7, 1, 7, 'easy', 1, 2, 0.5, 0.5, 1, '[]')");
  raw.close();
  return path;
}

for (const formats of [1, 2]) {
  test(`a history of format ${formats} keeps its rounds, and the policy that goes on with them claims them`, () => {
    const store = open(olderHistory(formats));
    assert.equal(store.lastRound(), 7);
    store.usePolicy({ identity: 'other', name: 'other', directory: '/other', claim: false });
    assert.equal(store.lastRound(), null);
    store.usePolicy({ identity: 'mine', name: 'tiny', directory: '/tiny', claim: true });
    assert.deepEqual(store.rounds({ sinceRound: 0, limit: 9 }), [
      { round: 7, finishedAt: 7000, seconds: 1.5, policyVersion: 7, metrics: { ownReward: 0.5 } },
    ]);
    assert.equal(store.lastExamRound(), formats > 1 ? 7 : null);
    assert.equal(store.rollouts({ limit: 9, beforeId: null, origin: 'own' })[0]?.completion, 'two');
    store.rewindTo(6);
    assert.equal(store.rollouts({ limit: 9, beforeId: null, origin: 'all' }).length, 0);
    store.recordExam(exam(1));
    store.recordBenefit(benefit(30));
    assert.deepEqual([store.exams(9), store.benefits(9)], [[exam(1)], [benefit(30)]]);
    store.close();
  });
}

test('rounds of two policies are kept apart, also by rewinding and by retention; the one used last is in use after a restart', () => {
  const path = freshPath();
  const store = open(path, { rounds: 5, bytes: 1e9 });
  const use = (name: string): void =>
    store.usePolicy({ identity: `weights:${name}`, name, directory: `/models/${name}`, claim: true });
  const rounds = (of = store): number[] => of.rounds({ sinceRound: 0, limit: 99 }).map(({ round }) => round);
  use('ant');
  for (let round = 1; round <= 6; round++) store.recordRound(record(round, { rollouts: [group(round, true)] }));
  store.recordExam(exam(6));
  use('bee');
  assert.deepEqual([rounds(), store.lastExamRound(), store.recentMean('ownReward', 9)], [[], null, null]);
  for (let round = 1; round <= 9; round++) store.recordRound(record(round, { rollouts: [group(round, true)] }));
  store.rewindTo(8);
  assert.deepEqual(rounds(), [5, 6, 7, 8]);
  use('ant');
  assert.deepEqual([rounds(), store.lastExamRound()], [[2, 3, 4, 5, 6], 6]);
  store.rewindTo(2);
  assert.deepEqual([rounds(), store.exams(9)], [[2], []]);
  use('bee');
  assert.deepEqual(rounds(), [5, 6, 7, 8]);
  assert.equal(
    store.rollouts({ limit: 99, beforeId: null, origin: 'own' }).filter(({ round }) => round === 2).length,
    2,
  );
  assert.deepEqual(
    store.policies().map(({ name, directory, round, at }) => [name, directory, round, at]),
    [
      ['bee', '/models/bee', 8, 8000],
      ['ant', '/models/ant', 2, 2000],
    ],
  );
  store.close();
  const again = open(path);
  assert.deepEqual(rounds(again), [5, 6, 7, 8]);
  again.close();
});

test('rewinding forgets what came after the checkpoint', () => {
  const store = open();
  for (let round = 1; round <= 9; round++) store.recordRound(record(round, { rollouts: [group(round, true)] }));
  store.rewindTo(6);
  assert.equal(store.lastRound(), 6);
  assert.ok(store.rollouts({ limit: 99, beforeId: null, origin: 'all' }).every((row) => row.round <= 6));
  store.rewindTo(0);
  assert.equal(store.lastRound(), null);
  assert.deepEqual(store.rounds({ sinceRound: 0, limit: 9 }), []);
  store.close();
});

test('rounds are thinned evenly to at most the limit, newest included, points stay as the curve grows', () => {
  const store = open();
  for (let round = 1; round <= 1000; round++) store.recordRound(record(round));
  for (const limit of [1, 2, 3, 7, 50, 999, 1000, 5000]) {
    const rows = store.rounds({ sinceRound: 0, limit }).map((row) => row.round);
    assert.ok(rows.length <= limit && rows.length > Math.min(limit, 1000) / 2.1, `${limit}: ${rows.length}`);
    assert.equal(rows.at(-1), 1000);
    assert.deepEqual(
      rows,
      rows.toSorted((a, b) => a - b),
    );
    const gaps = rows.slice(1, -1).map((round, index) => round - rows[index]!);
    assert.ok(new Set(gaps).size <= 1, `${limit}: ${[...new Set(gaps)].join()}`);
  }
  assert.deepEqual(
    store.rounds({ sinceRound: 998, limit: 10 }).map((row) => row.round),
    [998, 999, 1000],
  );
  assert.deepEqual(store.rounds({ sinceRound: 2000, limit: 10 }), []);
  assert.deepEqual(store.rounds({ sinceRound: 0, limit: 0 }), []);
  const before = store.rounds({ sinceRound: 0, limit: 50 }).map((row) => row.round);
  store.recordRound(record(1001));
  const now = new Set(store.rounds({ sinceRound: 0, limit: 50 }).map((row) => row.round));
  assert.ok(before.slice(0, -1).every((round) => now.has(round)));
  store.close();
});

test('the recent mean is over rounds that have the metric', () => {
  const store = open();
  assert.equal(store.recentMean('ownReward', 5), null);
  for (let round = 1; round <= 10; round++) store.recordRound(record(round));
  assert.ok(Math.abs(store.recentMean('ownReward', 4)! - 0.0085) < 1e-12);
  assert.equal(store.recentMean('heldOutReward', 4), null);
  store.close();
});

test('peers add up; a name is kept until another comes; hostile names are made safe', () => {
  const store = open();
  const peer = 'c'.repeat(64);
  store.creditPeers([
    { peer, own: false, at: 10, displayName: 'Zo\u202Ee\u0000', policyName: 'p'.repeat(500), rejected: 1 },
  ]);
  store.creditPeers([{ peer, own: false, at: 5, groupsAdopted: 2, completionsRight: 3 }]);
  const row = store.leaderboard()[0]!;
  assert.deepEqual(
    [row.displayName, row.policyName.length, row.rejected, row.groupsAdopted, row.firstSeenAt, row.lastSeenAt],
    ['Zoe\uFFFD', 60, 1, 2, 10, 10],
  );
  store.creditPeers([{ peer: 'd'.repeat(64), own: true, at: 1, completionsRight: 9 }]);
  assert.deepEqual(
    store.leaderboard().map((leader) => leader.own),
    [true, false],
  );
  store.close();
});

test('a flood of keys cannot grow the table of peers, nor push out those that contributed', () => {
  const store = openStore(freshPath(), { retention: roomy, maxPeers: 50, warn: noWarning });
  store.creditPeers([
    { peer: 'own', own: true, at: 0 },
    { peer: 'good', own: false, at: 0, groupsVerified: 5 },
  ]);
  for (let batch = 0; batch < 20; batch++)
    store.creditPeers(
      Array.from({ length: 20 }, (_, index) => ({
        peer: `sybil-${batch}-${index}`,
        own: false,
        at: batch,
        rejected: 1,
      })),
    );
  const names = store.leaderboard().map((row) => row.peer);
  assert.equal(names.length, 50);
  assert.ok(names.includes('own') && names.includes('good'));
  store.close();
});

test('text of peers is stored as text, whatever it is', () => {
  const store = open();
  const nasty = `'); DROP TABLE rollouts; -- \u0000 \u202E \uD800 <script>`;
  const { rollouts } = store.recordRound(
    record(1, {
      rollouts: [
        group(1, false, {
          policyName: nasty,
          completions: [{ text: nasty + 'x'.repeat(50_000), ended: true, reward: 0, advantage: null }],
        }),
      ],
    }),
  );
  const [row] = store.rollouts({ limit: 1, beforeId: null, origin: 'all' });
  assert.deepEqual(row, rollouts[0]);
  assert.ok(row!.completion.startsWith(`'); DROP TABLE rollouts; -- \uFFFD  \uFFFD <script>`));
  assert.equal(row!.completion.length, 32_000);
  store.close();
});

test('rounds beyond the retention go, with their rollouts and metrics', () => {
  const path = freshPath();
  const store = open(path, { rounds: 100, bytes: 1e9 });
  for (let round = 1; round <= 350; round++) store.recordRound(record(round, { rollouts: [group(round, true)] }));
  const rows = store.rounds({ sinceRound: 0, limit: 1000 });
  assert.deepEqual([rows[0]?.round, rows.at(-1)?.round, rows.length], [251, 350, 100]);
  assert.equal(store.rollouts({ limit: 1000, beforeId: null, origin: 'all' }).length, 200);
  store.close();
  const raw = new DatabaseSync(path);
  assert.deepEqual(
    { ...raw.prepare('SELECT (SELECT count(*) FROM metrics) AS m, (SELECT count(*) FROM rollout_groups) AS g').get() },
    { m: 200, g: 100 },
  );
  raw.close();
});

test('bytes stay within the retention, rollouts go first, and the file gives space back when the limit is lowered', () => {
  const path = freshPath();
  const limit = 600_000;
  const store = open(path, { rounds: 1e6, bytes: limit });
  const big = { completions: [{ text: 'x'.repeat(4000), ended: true, reward: 1, advantage: 0 }] };
  for (let round = 1; round <= 500; round++) {
    store.recordRound(record(round, { rollouts: [group(round, true, big)] }));
    assert.ok(store.usedBytes() <= limit);
  }
  assert.equal(store.rounds({ sinceRound: 0, limit: 1000 }).length, 500);
  const kept = store.rollouts({ limit: 1000, beforeId: null, origin: 'all' });
  assert.ok(kept.length > 40 && kept[0]!.round === 500, `${kept.length}`);
  store.setRetention({ rounds: 1e6, bytes: 150_000 });
  for (let round = 501; round <= 510; round++) store.recordRound(record(round));
  assert.ok(store.usedBytes() <= 150_000);
  store.close();
  assert.ok(statSync(path).size < (limit * 2) / 3, `${statSync(path).size}`);
});

test('a limit that nothing fits into still keeps the newest round and does not hang', () => {
  const store = open(freshPath(), { rounds: 1, bytes: 1 });
  for (let round = 1; round <= 20; round++) store.recordRound(record(round, { rollouts: [group(round, true)] }));
  assert.deepEqual(
    store.rounds({ sinceRound: 0, limit: 9 }).map((row) => row.round),
    [20],
  );
  store.close();
});

test('a full disk is a DiskFullError, the round before is intact, and it goes on when there is room', () => {
  const path = freshPath();
  const opened = openDatabase(path, { now: Date.now });
  const store = createStore(opened, { retention: roomy });
  store.recordRound(record(1));
  // SQLite reports its own page limit with the very code of a full disk.
  opened.database.exec(
    `PRAGMA max_page_count = ${Number(opened.database.prepare('PRAGMA page_count').get()!['page_count']) + 2}`,
  );
  const big = record(2, {
    rollouts: Array.from({ length: 50 }, () => group(2, true, { question: 'q'.repeat(5000) })),
    counters: { trainedTokens: 5 },
  });
  assert.throws(
    () => store.recordRound(big),
    (error: unknown) =>
      error instanceof DiskFullError && error.path === path && error.freeBytes >= 0 && error.code === 'diskFull',
  );
  assert.equal(store.lastRound(), 1);
  assert.deepEqual(store.counters(), {});
  opened.database.exec('PRAGMA max_page_count = 1000000');
  store.recordRound(big);
  assert.equal(store.lastRound(), 2);
  store.close();
});

test('a damaged file is moved aside with a warning and a new history begun', () => {
  const path = freshPath();
  const fill = open(path);
  for (let round = 1; round <= 300; round++) fill.recordRound(record(round, { rollouts: [group(round, true)] }));
  fill.close();
  const sound = readFileSync(path);
  const damages: Record<string, () => void> = {
    'no database': () =>
      writeFileSync(path, 'this is a text file, much longer than any header of a database would be. '.repeat(40)),
    truncated: () => truncateSync(path, Math.floor(sound.length / 2) + 100),
    'overwritten in the middle': () => {
      const file = openSync(path, 'r+');
      writeSync(file, Buffer.alloc(3 * 4096, 0xa5), 0, 3 * 4096, 2 * 4096);
      closeSync(file);
    },
  };
  let at = 0;
  for (const [name, damage] of Object.entries(damages)) {
    writeFileSync(path, sound);
    damage();
    const warnings: string[] = [];
    const store = openStore(path, {
      retention: roomy,
      warn: (message) => warnings.push(message),
      now: () => (at += 60_000),
    });
    assert.equal(warnings.length, 1, name);
    assert.match(warnings[0]!, /moved to .*\.corrupt-1970-01-01T00-0\d-00-000Z/);
    assert.equal(store.lastRound(), null);
    store.recordRound(record(1));
    store.close();
  }
  const damaged = readdirSync(folder).filter((name) => name.startsWith(`${serial}.sqlite.corrupt-`));
  assert.equal(damaged.length, 2, 'only the two latest are kept');
});

const refused = (path: string, code: string) => (error: unknown) => {
  assert.ok(error instanceof StoreError);
  assert.equal(error.code, code);
  assert.ok(error.message.includes(path) && error.fix !== '');
  return true;
};

test('a foreign and a newer database are refused and left as they are', () => {
  const foreign = freshPath();
  const other = new DatabaseSync(foreign);
  other.exec('CREATE TABLE recipes (name TEXT)');
  other.close();
  const newer = freshPath();
  open(newer).close();
  const raw = new DatabaseSync(newer);
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  for (const [path, code] of [
    [foreign, 'storeForeign'],
    [newer, 'storeNewer'],
  ] as const) {
    const before = readFileSync(path);
    assert.throws(() => open(path), refused(path, code));
    assert.deepEqual(readFileSync(path), before);
  }
});

test('a folder in its place, a missing folder, a file in use: typed, with the fix', () => {
  const missing = join(folder, 'absent', 'x.sqlite');
  assert.throws(() => open(missing), refused(missing, 'storeUnwritable'));
  assert.throws(() => open(folder), refused(folder, 'storeUnwritable'));
  const path = freshPath();
  const store = open(path);
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  assert.throws(() => store.recordRound(record(1)), refused(path, 'storeLocked'));
  other.exec('ROLLBACK');
  other.close();
  store.recordRound(record(1));
  store.close();
});

test('kill -9 while recording: the file is sound and holds whole rounds', { timeout: 60_000 }, async () => {
  const path = freshPath();
  const source = new URL('../../../src-main/store/store.ts', import.meta.url).href;
  const script = `import { openStore } from ${JSON.stringify(source)};
    const store = openStore(${JSON.stringify(path)}, { retention: { rounds: 1e6, bytes: 1e9 }, warn: console.error });
    const start = (store.lastRound() ?? 0) + 1;
    process.stdout.write('go');
    for (let round = start; ; round++) store.recordRound({ round: { round, finishedAt: 1, seconds: 1, policyVersion: 1, metrics: { ownReward: 1, peers: 1 } }, counters: { trainedTokens: 1 } });`;
  for (let run = 0; run < 4; run++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 40 + 30 * run));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = open(path);
    const rows = store.rounds({ sinceRound: 0, limit: 1_000_000 });
    assert.ok(rows.length > 0);
    assert.deepEqual(
      rows.map((row) => row.round),
      rows.map((_, index) => index + 1),
    );
    assert.ok(rows.every((row) => Object.keys(row.metrics).length === 2));
    assert.equal(store.counters()['trainedTokens'], rows.length);
    store.close();
  }
  assert.ok(existsSync(path));
});
