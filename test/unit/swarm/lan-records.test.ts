/** What strangers on the local network can say: only members are understood, and nothing else is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomBytes } from '../../../src-main/swarm/identity/crypto.ts';
import { lanText, readLanRecord } from '../../../src-main/swarm/overlay/lan-records.ts';
import { isLanAddress } from '../../../src-main/swarm/overlay/paths.ts';

const topic = randomBytes(32);
const own = randomBytes(32);
const other = randomBytes(32);
const name = 'aabbccddeeff0011';
const said = { name, text: { ...lanText(topic, name, other) } as unknown, host: '192.168.1.7', port: 4_000 as unknown };

function reasonOf(changes: Record<string, unknown>): string {
  const read = readLanRecord(topic, own, { ...said, ...changes });
  return read.ok ? 'ok' : read.reason;
}

test('a member is understood; its address is where it spoke from', () => {
  const read = readLanRecord(topic, own, said);
  assert.deepEqual(read, { ok: true, peer: { publicKey: other, host: '192.168.1.7', port: 4_000 } });
});

test('outsiders learn neither swarm nor key, and two starts of one node look unrelated', () => {
  const first = lanText(topic, name, other);
  const second = lanText(topic, '0011223344556677', other);
  assert.notEqual(first.s, second.s);
  assert.notEqual(first.k, second.k);
  assert.ok(!JSON.stringify([first, second]).includes(other.toString('hex')));
  assert.deepEqual(readLanRecord(randomBytes(32), own, said), { ok: false, reason: 'otherSwarm' });
});

test('everything else is refused with its reason', () => {
  const text = lanText(topic, name, other);
  const cases: [string, Record<string, unknown>][] = [
    ['badName', { name: 'printer' }],
    ['badName', { name: undefined }],
    ['otherSwarm', { name: '0011223344556677' }],
    ['badText', { text: null }],
    ['badText', { text: 'v=1' }],
    ['badText', { text: { ...text, k: text.k.slice(2) } }],
    ['badText', { text: { ...text, s: text.s.toUpperCase().replace(/\d/g, 'A') } }],
    ['badText', { text: { ...text, s: [text.s] } }],
    ['otherVersion', { text: { ...text, v: '2' } }],
    ['otherVersion', { text: {} }],
    ['badAddress', { host: '203.0.113.9' }],
    ['badAddress', { host: '127.0.0.1' }],
    ['badAddress', { host: undefined }],
    ['badAddress', { port: 0 }],
    ['badAddress', { port: 65_536 }],
    ['badAddress', { port: 1.5 }],
    ['oneself', { text: lanText(topic, name, own) }],
  ];
  for (const [reason, changes] of cases) assert.equal(reasonOf(changes), reason, JSON.stringify(changes));
});

test('2,000 random records never throw and are never taken for a member', () => {
  const anything = fc.record({ name: fc.anything(), text: fc.anything(), host: fc.anything(), port: fc.anything() });
  fc.assert(
    fc.property(anything, (random) => !readLanRecord(topic, own, random).ok),
    { numRuns: 2_000 },
  );
});

test('which addresses are of a local network', () => {
  const local = ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '169.254.3.4', '::ffff:192.168.0.1'];
  const others = [
    '172.32.0.1',
    '8.8.8.8',
    '127.0.0.1',
    '100.64.0.1',
    '192.169.0.1',
    '',
    'x',
    '::1',
    '10.0.0',
    '10.0.0.1.2',
  ];
  assert.deepEqual(
    local.map(isLanAddress),
    local.map(() => true),
  );
  assert.deepEqual(
    others.map(isLanAddress),
    others.map(() => false),
  );
});
