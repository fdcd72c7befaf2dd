/** What a peer list says of an hour and of a path: sliding counts, the kind of address translator. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { natKind, publicAddress } from '../../../src-main/swarm/overlay/paths.ts';
import { LastHour } from '../../../src-main/swarm/records/last-hour.ts';
import { Ledger } from '../../../src-main/swarm/records/ledger.ts';

const MINUTE_MS = 60_000;

test('counts of the last hour slide by the minute', () => {
  const hour = new LastHour();
  for (let minute = 0; minute < 90; minute++) hour.add(minute * MINUTE_MS);
  assert.equal(hour.sum(89 * MINUTE_MS), 60);
  assert.equal(hour.sum(100 * MINUTE_MS), 49);
  assert.equal(hour.sum(1_000 * MINUTE_MS), 0);
});

test('a peer’s row says how many of its groups were adopted in all and within the hour', () => {
  let nowMs = 0;
  const ledger = new Ledger(
    4,
    () => 7,
    () => nowMs,
  );
  ledger.adopted('aa');
  nowMs = 45 * MINUTE_MS;
  ledger.adopted('aa');
  ledger.touch('bb');
  const row = (peer: string) => ledger.rows().find((each) => each.peer === peer);
  assert.deepEqual([row('aa')?.groupsAdopted, row('aa')?.adoptedLastHour], [2, 2]);
  nowMs = 61 * MINUTE_MS;
  assert.deepEqual([row('aa')?.groupsAdopted, row('aa')?.adoptedLastHour, row('bb')?.adoptedLastHour], [2, 1, 0]);
});

test('the kind of address translator follows from what other nodes see', () => {
  const kinds = [
    { firewalled: true, host: null, port: 0 },
    { firewalled: true, host: '203.0.113.7', port: 0 },
    { firewalled: true, host: '203.0.113.7', port: 4000 },
    { firewalled: false, host: '203.0.113.7', port: 4000 },
  ].map((seen) => [natKind(seen), publicAddress(seen)]);
  assert.deepEqual(kinds, [
    ['unknown', null],
    ['random', '203.0.113.7'],
    ['consistent', '203.0.113.7:4000'],
    ['open', '203.0.113.7:4000'],
  ]);
});
