/** Receipts and profiles over a real swarm: credit arrives at who earned it, with names made safe and reasons for what was refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signSheet } from '../../src-main/swarm/codec/notes.ts';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { identityOf, newDevice } from '../../src-main/swarm/identity/identity.ts';
import { openDht, openSwarm, parityGroup, parityGroups, until } from './local-swarm.ts';
import { dial } from './stranger.ts';

test('who is adopted gets signed receipts; board, reasons and names reach everybody', async (t) => {
  const { bootstrap } = await openDht(t);
  const seed = randomBytes(32);
  const a = await openSwarm(t, bootstrap, {
    identity: identityOf({ seed, device: newDevice() }),
    profile: () => ({ displayName: 'Ann\u202E\n', team: 'hive' }),
  });
  const b = await openSwarm(t, bootstrap);
  const c = await openSwarm(t, bootstrap);
  const key = a.options.identity.publicKey;
  a.swarm.share(parityGroups(6), 1);
  await until('both have a’s groups', () => [b, c].every(({ swarm }) => swarm.status().groupsPooled === 6));
  for (const { swarm } of [b, c]) {
    assert.equal(swarm.adopt(6).length, 6);
    swarm.share([], 1); // a node that only trains has a say all the same
  }
  await until('receipts for all six are back', () => a.swarm.ownScore('day').score === 6);
  await until('of two auditors', () => a.swarm.ownScore('day').auditors === 2);
  const { produced, shared, pulled, pulledByPeers, refused } = a.swarm.ownScore('day');
  assert.deepEqual([produced, shared, pulled, pulledByPeers, refused], [6, 6, 6, 2, {}]);
  const receipts = a.swarm.receiptsOf(key, 10);
  assert.equal(receipts.length, 6);
  assert.ok(receipts.every((row) => row.right === 2 && row.of === 4 && row.auditors.length >= 1));

  await until('the profile is there', () => b.swarm.board('day').some((row) => row.displayName !== null));
  const row = b.swarm.board('day')[0]!;
  assert.deepEqual(
    [row.owner, row.devices, row.displayName, row.team, row.own, row.score, row.checked],
    [a.options.identity.owner.publicKey, [key], 'Ann', 'hive', false, 6, 6],
  );
  assert.equal(row.plausibility?.solveRate, 0.5);
  assert.deepEqual(b.swarm.status().rejected, {});

  // The next start takes the counts up again.
  const restarted = await openSwarm(t, bootstrap, { identity: b.options.identity, credit: b.swarm.exportCredit() });
  assert.equal(restarted.swarm.board('day')[0]?.score, 6);
});

test('a refused record’s origin learns why; a sheet of lies earns nothing and is not relayed', async (t) => {
  const { bootstrap } = await openDht(t);
  const refusing = await openSwarm(t, bootstrap, { verify: () => ({ ok: false, reason: 'another task set' }) });
  const a = await openSwarm(t, bootstrap);
  a.swarm.share(parityGroups(2), 1);
  await until('refused there', () => refusing.swarm.status().rejected['taskRefused'] === 2);
  refusing.swarm.share([], 1);
  await until('told here', () => a.swarm.ownScore('day').refused['taskRefused'] === 2);

  const liar = await dial(t, a);
  const boss = randomBytes(32).toString('hex');
  const receipts = Array.from({ length: 32 }, () => ({
    origin: boss,
    record: randomBytes(16).toString('hex'),
    outcome: 'adopted' as const,
    right: 3,
    of: 8,
    round: 1,
  }));
  const fields = { instanceId: randomBytes(16), round: 1, createdAt: 1, receipts };
  const sheet = signSheet(fields, liar.identity.keyPair);
  const forged = Buffer.from(sheet.bytes);
  forged[100]! ^= 1;
  liar.serve([sheet.bytes, liar.record(parityGroup())]);
  await liar.greet();
  await until('the record beside it went in', () => a.swarm.status().groupsPooled === 1);
  assert.ok(a.swarm.board('all').every((row) => row.owner !== boss));
  assert.equal(a.swarm.status().recordsHeld, 1, 'the record only');
  assert.deepEqual(a.swarm.status().rejected, {});
  liar.serve([forged]);
  await until('the forger is caught', () => a.swarm.status().rejected['forgedSignature'] === 1);
});
