/** The board as one node makes it: devices under their owner, names that change, plausibility of an owner. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeNote, signProfile } from '../../../src-main/swarm/codec/notes.ts';
import type { Profile } from '../../../src-main/swarm/codec/notes.ts';
import { Credit } from '../../../src-main/swarm/credit/credit.ts';
import { randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed, identityOf, newDevice } from '../../../src-main/swarm/identity/identity.ts';
import { DEFAULT_LIMITS } from '../../../src-main/swarm/limits.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';
import type { Group } from '../../../src-main/types.ts';

function scene() {
  let now = 1_000_000_000;
  const held: Uint8Array[] = [];
  const names = { displayName: '', team: '' };
  const identity = identityFromSeed(randomBytes(32));
  const credit = new Credit({
    identity,
    instanceId: randomBytes(16),
    limits: DEFAULT_LIMITS,
    rounds: new RoundClock(64, 16),
    now: () => now,
    profile: () => names,
    hold: ({ bytes }) => void held.push(bytes),
  });
  const profilesTold = (): Profile[] =>
    held.flatMap((bytes) => {
      const note = decodeNote(bytes);
      return note.ok && note.value.kind === 'profile' ? [note.value] : [];
    });
  return { credit, identity, names, profilesTold, wait: (ms: number) => (now += ms) };
}

let serial = 0;
function group(origin: string, right: number): Group {
  const index = ++serial;
  return {
    id: index.toString(16).padStart(64, '0'),
    origin,
    round: 1,
    policyName: 'p',
    task: { generator: 'g', version: 1, config: {}, seed: '1', index },
    question: '?',
    completions: Array.from({ length: 8 }, (_, i) => ({ text: String(i), ended: true, reward: i < right ? 1 : 0 })),
  } as unknown as Group;
}

test('plausibility is of the owner, whichever device came first', () => {
  const { credit } = scene();
  const seed = randomBytes(32);
  const devices = [identityOf({ seed, device: newDevice() }), identityOf({ seed, device: newDevice() })] as const;
  for (const device of devices) {
    const { bytes } = signProfile({ createdAt: 5, displayName: 'Oracle', team: '' }, device.owner, device.keyPair);
    assert.deepEqual(
      credit.admit(bytes, () => false),
      { ok: true },
    );
  }
  const honest = identityFromSeed(randomBytes(32)).publicKey;
  credit.noteVerified(group(devices[0].publicKey, 7));
  for (let i = 0; i < 12; i++) {
    credit.noteVerified(group(devices[1].publicKey, 8));
    credit.noteVerified(group(honest, 3));
  }
  const row = credit.board('day').find(({ displayName }) => displayName === 'Oracle')!;
  assert.deepEqual(row.devices, [devices[0].publicKey], 'the other made nothing that counts, yet is judged too');
  assert.equal(row.plausibility!.completions, 8 * 13);
  assert.deepEqual([row.plausibility!.expected, row.plausibility!.implausible], [3 / 8, true]);
});

test('a changed name is told with the next round, and so is one that was taken back', () => {
  const { credit, names, profilesTold, wait } = scene();
  credit.publish(1);
  assert.deepEqual(profilesTold(), [], 'nobody is told that there is no name');
  names.displayName = 'Ann';
  credit.publish(2);
  credit.publish(3);
  wait(1_000);
  names.team = 'hive';
  credit.publish(4);
  wait(1_000);
  Object.assign(names, { displayName: '', team: '' });
  credit.publish(5);
  assert.deepEqual(
    profilesTold().map(({ displayName, team }) => [displayName, team]),
    [
      ['Ann', ''],
      ['Ann', 'hive'],
      ['', ''],
    ],
  );
});

test('a clock that is set back by days does not silence the profile for as long', () => {
  const { credit, names, profilesTold, wait } = scene();
  names.displayName = 'Ann';
  credit.publish(1);
  wait(-3 * 24 * 3_600_000);
  credit.publish(2);
  wait(1_000);
  credit.publish(3);
  assert.equal(profilesTold().length, 2);
});
