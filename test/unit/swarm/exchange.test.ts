import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_KNOWN } from '../../../src-main/swarm/codec/known-ids.ts';
import { encodeMessage } from '../../../src-main/swarm/codec/messages.ts';
import { toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { DEFAULT_LIMITS, WIRE } from '../../../src-main/swarm/limits.ts';
import { relayedAddress } from '../../../src-main/swarm/overlay/paths.ts';
import { Bans } from '../../../src-main/swarm/records/bans.ts';
import { Exchange } from '../../../src-main/swarm/records/exchange.ts';
import { Feed } from '../../../src-main/swarm/records/feed.ts';
import { Members } from '../../../src-main/swarm/records/members.ts';
import { RoundClock } from '../../../src-main/swarm/records/round-clock.ts';
import { WireDouble } from './wire-double.ts';

const nothing = () => undefined;
const ADDRESS = '203.0.113.5';

function open(elapsed: () => number): { exchange: Exchange } {
  const exchange = new Exchange({
    ownKey: 'ff'.repeat(32),
    instanceId: Buffer.alloc(16),
    topic: Buffer.alloc(32, 9),
    secretKey: null,
    limits: DEFAULT_LIMITS,
    capabilities: 7,
    elapsed,
    random: () => 0.5,
    feed: new Feed(DEFAULT_LIMITS, new RoundClock(16, 16)),
    known: () => NOTHING_KNOWN,
    admit: () => ({ ok: true }),
    onGiven: nothing,
    members: new Members(16),
    bans: new Bans(64, DEFAULT_LIMITS.banMs),
    onAdmitted: nothing,
    onRefused: nothing,
    onFull: nothing,
    onHint: nothing,
    relayKey: () => null,
    onRelayOffer: nothing,
    onDoubledClaim: nothing,
    onChange: nothing,
  });
  return { exchange };
}

/** Opens the channel and speaks out of turn, which is half a ban. */
function offend(exchange: Exchange, key: number, address: string): void {
  const wire = Object.assign(new WireDouble(), { remotePublicKey: Buffer.alloc(32, key) });
  exchange.connect(wire, address);
  const name = Buffer.from(WIRE.protocolName, 'utf8');
  const topic = Buffer.alloc(32, 9);
  wire.emit('data', Buffer.concat([Buffer.from([0, 1, 1, name.byteLength]), name, Buffer.from([32]), topic]));
  wire.emit('data', Buffer.concat([Buffer.from([1, 0]), encodeMessage({ kind: 'heads', heads: [] })]));
  assert.ok(wire.destroyed);
}

test('banned keys take their own address with them, never that of the relay they came through', () => {
  for (const [address, isBanned] of [
    [ADDRESS, true],
    [relayedAddress(ADDRESS), false],
  ] as const) {
    const { exchange } = open(() => 0);
    for (const key of [1, 2, 3]) {
      offend(exchange, key, address);
      offend(exchange, key, address);
      assert.equal(exchange.accepts(toHex(Buffer.alloc(32, key)), null), false);
    }
    assert.equal(exchange.accepts('ab'.repeat(32), address), !isBanned);
    exchange.close();
  }
});

test('one address opens so many connections and no more, however many keys it draws', () => {
  let nowMs = 0;
  const { exchange } = open(() => nowMs);
  const taken = (count: number, address: string) =>
    Array.from({ length: count }, (_, i) => {
      const wire = Object.assign(new WireDouble(), { remotePublicKey: Buffer.alloc(32, i + 1) });
      exchange.connect(wire, address);
      const isTaken = !wire.destroyed;
      wire.destroy();
      return isTaken;
    }).filter(Boolean).length;
  assert.equal(taken(100, ADDRESS), 24);
  assert.equal(taken(100, '203.0.113.6'), 24, 'another address has its own');
  assert.equal(taken(100, '127.0.0.1'), 100, 'this machine says nothing of who is there');
  nowMs = 60_000;
  assert.equal(taken(100, ADDRESS), 12);
  exchange.close();
});
