/** Honest nodes on a local DHT: they find each other, trade, relay, keep private swarms apart, and close in time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { instantiate } from '../../src-main/tasks/task-ref.ts';
import { verifyGroup } from '../../src-main/tasks/verify-completions.ts';
import type { VerifyTexts } from '../../src-main/swarm/records/admission.ts';
import { openDht, openSwarm, parityGroup, parityGroups, pause, until } from './local-swarm.ts';
import type { Opened } from './local-swarm.ts';

test('two nodes share and adopt each other’s groups, with rewards recomputed here', async (t) => {
  const { bootstrap } = await openDht(t);
  const admitted: string[] = [];
  let changes = 0;
  const a = await openSwarm(t, bootstrap, { policyName: () => 'policy\u202eA\n' });
  const b = await openSwarm(t, bootstrap, {
    onAdmitted: (group, from) => void admitted.push(`${group.id} ${from}`),
    onChange: () => {
      changes++;
    },
  });
  const ids = a.swarm.share(parityGroups(5), 3);
  assert.equal(new Set(ids).size, 5);
  await until('b pools five groups', () => b.swarm.status().groupsPooled === 5);
  const key = a.options.identity.publicKey;
  assert.deepEqual(admitted.sort(), ids.map((id) => `${String(id)} ${key}`).sort());

  const adopted = b.swarm.adopt(3);
  assert.equal(adopted.length, 3);
  for (const group of adopted) {
    assert.equal(group.origin, key);
    assert.equal(group.round, 3);
    assert.equal(group.policyName, 'policyA');
    assert.match(group.question, /^parity of \d+\?$/);
    assert.deepEqual(
      group.completions.map((completion) => completion.reward),
      [1, 0, 1, 0],
    );
    assert.deepEqual(
      group.completions.map((completion) => completion.ended),
      [true, true, true, false],
    );
  }
  // Where both dialled each other, the newer connection takes over, and starts anew what it brings.
  await until('b is connected', () => b.swarm.status().presence === 'connected');
  const status = b.swarm.status();
  assert.deepEqual(
    [status.presence, status.peers, status.groupsAdopted, status.groupsPooled, status.rejected],
    ['connected', 1, 3, 2, {}],
  );
  assert.equal(status.text, 'Trading with 1 peer');
  assert.ok(status.bytesIn > 500 && status.bytesOut > 0);
  const rowOfA = () => b.swarm.peers().find((each) => each.peer === key);
  const row = rowOfA();
  assert.ok(row?.connected);
  assert.equal(row.groupsReceived, 5);
  assert.equal(row.completionsVerified, 20);
  assert.equal(row.completionsRight, 10);
  assert.equal(row.groupsAdopted, 3);
  await until('its latency is known', () => (rowOfA()?.latencyMs ?? 0) > 0);
  await until('the owner is told of changes', () => changes > 0);

  b.swarm.share(parityGroups(3), 1);
  await until('a pools three groups', () => a.swarm.status().groupsPooled === 3);
  assert.equal(a.swarm.status().groupsShared, 5);
  // All of them over each connection there was; with one note among them it would be no multiple.
  for (const [from, to, groups] of [
    [a, b, 5],
    [b, a, 3],
  ] as const) {
    const row = from.swarm.peers().find(({ peer }) => peer === to.options.identity.publicKey);
    const given = row?.groupsGiven ?? 0;
    assert.ok(given > 0 && given % groups === 0, `${String(given)}: receipts and profiles are not counted`);
  }
});

test('of a group larger than a record a part is shared, and judged as it was shared; what cannot be is said once', async (t) => {
  const { bootstrap } = await openDht(t);
  const a = await openSwarm(t, bootstrap);
  const b = await openSwarm(t, bootstrap);
  const { task, completions } = parityGroup();
  const right = completions[0]!.text;
  const texts = Array.from({ length: 100 }, (_, i) => (i >= 90 ? right : `wrong ${String(i)}`));
  const [id] = a.swarm.share([{ task, completions: texts.map((text) => ({ text, ended: true })) }], 1);
  assert.ok(typeof id === 'string');
  await until('b pools it', () => b.swarm.status().groupsPooled === 1);
  const [group] = b.swarm.adopt(1);
  assert.ok(group);
  assert.equal(group.completions.length, 64);
  assert.equal(group.completions.filter(({ reward }) => reward === 1).length, 6);
  const [own] = a.swarm.receiptsOf(a.options.identity.publicKey, 1);
  assert.deepEqual([own?.right, own?.of], [6, 64]);

  const huge = randomBytes(12_000).toString('hex');
  const unfit = () => ({ ...parityGroup(), completions: ['a', 'b'].map((c) => ({ text: c + huge, ended: true })) });
  assert.deepEqual(a.swarm.share([unfit(), unfit()], 2), [null, null]);
  a.swarm.share([unfit()], 3);
  assert.equal(a.swarm.status().groupsShared, 1);
  assert.equal(a.log.filter((line) => line.includes('too long to be shared with peers')).length, 3);
  assert.equal(a.log.filter((line) => /^warn.*too long to be shared with peers/.test(line)).length, 1);
});

test('three nodes; the real verifier scores real tasks', async (t) => {
  const verify: VerifyTexts = (ref, texts) => {
    const checked = verifyGroup(ref, texts, { bareAnswer: true });
    if (!checked.ok) return checked;
    const rewards = checked.verdicts.map((verdict) => verdict.reward);
    return { ok: true, ref: checked.ref, question: checked.instance.question, rewards };
  };
  const { bootstrap } = await openDht(t);
  const nodes = await Promise.all([0, 1, 2].map(() => openSwarm(t, bootstrap, { verify })));
  nodes.forEach(({ swarm }, n) => {
    const groups = [0, 1].map((index) => {
      const task = { generator: 'chain_sum', version: 1, config: {}, seed: String(n * 1000), index };
      const made = instantiate(task);
      assert.ok(made.ok);
      const answers = [made.instance.answer, 'certainly not'];
      return { task, completions: answers.map((text) => ({ text, ended: true })) };
    });
    swarm.share(groups, 1);
  });
  for (const { swarm } of nodes) {
    await until('each node pools the four groups of the others', () => swarm.status().groupsPooled === 4);
    const groups = swarm.adopt(8);
    assert.equal(new Set(groups.map((group) => group.origin)).size, 2);
    for (const group of groups)
      assert.deepEqual(
        group.completions.map((completion) => completion.reward),
        [1, 0],
      );
    assert.deepEqual(swarm.status().rejected, {});
  }
});

test('a record reaches a node that never met its origin', async (t) => {
  const { bootstrap } = await openDht(t);
  const a = await openSwarm(t, bootstrap);
  const b = await openSwarm(t, bootstrap);
  a.swarm.share(parityGroups(3), 1);
  await until('b holds a’s records', () => b.swarm.status().groupsPooled === 3);
  await a.swarm.close();
  const c = await openSwarm(t, bootstrap);
  await until('c pools a’s groups', () => c.swarm.status().groupsPooled === 3);
  const origin = a.options.identity.publicKey;
  for (const group of c.swarm.adopt(3)) assert.equal(group.origin, origin);
  const rows = new Map(c.swarm.peers().map((row) => [row.peer, row]));
  assert.equal(rows.get(origin)?.groupsVerified, 3);
  assert.equal(rows.get(origin)?.groupsReceived, 0);
  assert.equal(rows.get(origin)?.connected, false);
  assert.equal(rows.get(b.options.identity.publicKey)?.groupsReceived, 3);
  const given = (to: typeof a) =>
    b.swarm.peers().find(({ peer }) => peer === to.options.identity.publicKey)?.groupsGiven;
  const toC = given(c) ?? 0;
  assert.ok(toC > 0 && toC % 3 === 0, `${String(toC)}: relayed ones count, all over each connection`);
  assert.equal(given(a), 0, 'nothing is handed back to its origin');
  assert.ok(c.swarm.status().membersKnown >= 1, 'the origin’s head is gossiped on');
});

test('groups of equal rewards are neither sampled nor relayed', async (t) => {
  const { bootstrap } = await openDht(t);
  const a = await openSwarm(t, bootstrap);
  const b = await openSwarm(t, bootstrap);
  const { task } = parityGroup();
  a.swarm.share(
    [
      {
        task,
        completions: [
          { text: 'x', ended: true },
          { text: 'y', ended: true },
        ],
      },
      parityGroup(),
    ],
    1,
  );
  await until('b pools both', () => b.swarm.status().groupsPooled === 2);
  assert.equal(b.swarm.status().recordsHeld, 1);
  assert.equal(b.swarm.adopt(9).length, 1);
  assert.equal(b.swarm.status().groupsPooled, 0);
});

test('eight nodes sharing twenty times a second: nobody is refused, everybody learns from everybody', async (t) => {
  const { bootstrap } = await openDht(t);
  // Faster pulls make a short test; all other limits are the product's.
  const limits = { pullIntervalMs: 150, pullsPerSecond: 8, recordsPerSecond: 200 };
  const nodes = await Promise.all(Array.from({ length: 8 }, () => openSwarm(t, bootstrap, { limits })));
  await until('all connected', () => nodes.every(({ swarm }) => swarm.status().peers >= 2));
  const origins = nodes.map(() => new Set<string>());
  for (let turn = 0; turn < 60; turn++) {
    nodes.forEach(({ swarm }, n) => {
      swarm.share(parityGroups(2), Math.floor(turn / 4)); // a record may be 16 rounds old
      for (const group of swarm.adopt(4)) origins[n]!.add(group.origin);
    });
    await pause(50);
  }
  const status = nodes.map(({ swarm }) => swarm.status());
  for (const { rejected } of status) assert.deepEqual(rejected, {});
  assert.ok(
    status.every(({ groupsAdopted }) => groupsAdopted >= 30),
    String(status.map((s) => s.groupsAdopted)),
  );
  assert.ok(
    origins.every((from) => from.size >= 6),
    String(origins.map((from) => from.size)),
  );
});

test('a secret keeps a swarm apart; only those who know it meet', async (t) => {
  const { bootstrap } = await openDht(t);
  const inside = await openSwarm(t, bootstrap, { secret: 'honey' });
  const member = await openSwarm(t, bootstrap, { secret: 'honey' });
  const outside = await openSwarm(t, bootstrap);
  const wrong = await openSwarm(t, bootstrap, { secret: 'wax' });
  inside.swarm.share(parityGroups(1), 1);
  await until('the member has the group', () => member.swarm.status().groupsPooled === 1);
  await pause(1_500);
  assert.equal(outside.swarm.status().peers, 0);
  assert.equal(wrong.swarm.status().peers, 0);
});

test('answers of which not even two fit are not shared, and the node says so by null', async (t) => {
  const { bootstrap } = await openDht(t);
  const { swarm } = await openSwarm(t, bootstrap);
  const { task } = parityGroup();
  const noise = Array.from({ length: 40 }, () => ({ text: randomBytes(8100).toString('hex'), ended: true }));
  const [tooLarge, fine] = swarm.share([{ task, completions: noise }, parityGroup()], 1);
  assert.equal(tooLarge, null);
  assert.match(String(fine), /^[0-9a-f]{64}$/);
  assert.equal(swarm.status().groupsShared, 1);
});

test('suspend stops the trade, resume takes it up again', async (t) => {
  const { bootstrap } = await openDht(t);
  const a = await openSwarm(t, bootstrap);
  const b = await openSwarm(t, bootstrap);
  await until('connected', () => a.swarm.status().presence === 'connected');
  await b.swarm.suspend();
  await until('a is without peers', () => a.swarm.status().peers === 0);
  assert.equal(b.swarm.status().presence, 'off');
  assert.equal(await b.swarm.pull(), 0);
  a.swarm.share(parityGroups(2), 1);
  await b.swarm.resume();
  await until('b has the groups', () => b.swarm.status().groupsPooled === 2, 40_000);
});

test('one identity running twice is reported to its owner', async (t) => {
  const { bootstrap } = await openDht(t);
  const identity = identityFromSeed(randomBytes(32));
  const honest = await openSwarm(t, bootstrap);
  const first = await openSwarm(t, bootstrap, { identity });
  await until('first is connected', () => first.swarm.status().presence === 'connected');
  const second = await openSwarm(t, bootstrap, { identity });
  await pause(20); // records of the second start are younger than the first start
  second.swarm.share(parityGroups(1), 1);
  first.swarm.share(parityGroups(1), 1);
  const seen = () => [first, second].some(({ swarm }) => swarm.status().doubledIdentityAt !== null);
  await until('one of the two notices', seen, 20_000);
  assert.match([...first.log, ...second.log].join('\n'), /running twice.*identity, of its own/);
  const told = [first, second].map(({ swarm }) => swarm.status().text).filter((text) => text.includes('running twice'));
  assert.match(told[0] ?? '', /--another-device/);
  assert.equal(honest.swarm.status().doubledIdentityAt, null);
});

test('close is idempotent, quick, and leaves nothing behind', async (t) => {
  const { bootstrap } = await openDht(t);
  const a = await openSwarm(t, bootstrap);
  const b = await openSwarm(t, bootstrap);
  await until('connected', () => a.swarm.status().presence === 'connected');
  const start = performance.now();
  await Promise.all([b.swarm.close(), b.swarm.close()]);
  assert.ok(performance.now() - start < 3_000);
  await until('a notices', () => a.swarm.status().peers === 0);
  assert.equal(b.swarm.status().presence, 'off');
  b.swarm.share(parityGroups(1), 2); // harmless
  assert.equal(await b.swarm.pull(), 0);
});

test('what a node has from one neighbour no other sends it again', async (t) => {
  const { bootstrap } = await openDht(t);
  const nodes: Opened[] = [];
  for (let i = 0; i < 4; i++) nodes.push(await openSwarm(t, bootstrap));
  await until('all know all', () => nodes.every(({ swarm }) => swarm.status().peers === 3), 40_000);
  for (const { swarm } of nodes) swarm.share(parityGroups(20), 1);
  await until('all have all', () => nodes.every(({ swarm }) => swarm.status().groupsPooled === 60), 40_000);
  await pause(500); // of two answers under way at once both may hold a record
  const duplicates = () => nodes.map(({ swarm }) => swarm.status().duplicates);
  const before = duplicates();
  for (let i = 0; i < 4; i++) assert.deepEqual(await Promise.all(nodes.map(({ swarm }) => swarm.pull())), [0, 0, 0, 0]);
  assert.deepEqual(duplicates(), before);
});
