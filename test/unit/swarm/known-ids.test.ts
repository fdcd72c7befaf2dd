import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addId,
  claimsId,
  idWords,
  isFilterSize,
  NOTHING_KNOWN,
  roomForIds,
} from '../../../src-main/swarm/codec/known-ids.ts';
import type { IdWords, KnownIds } from '../../../src-main/swarm/codec/known-ids.ts';
import { hash, toHex } from '../../../src-main/swarm/identity/crypto.ts';
import { RecentIds } from '../../../src-main/swarm/recent-ids.ts';

const idOf = (n: number): string => toHex(hash('recordId', String(n)));
const wordsOf = (n: number): IdWords => idWords(idOf(n));

function filterOf(count: number, salt: number): KnownIds {
  const known = roomForIds(count, salt);
  for (let n = 0; n < count; n++) addId(known, wordsOf(n).first, wordsOf(n).second);
  return known;
}

function falseClaims(known: KnownIds, from: number, count: number): Set<number> {
  const claimed = new Set<number>();
  for (let n = from; n < from + count; n++) if (claimsId(known, wordsOf(n).first, wordsOf(n).second)) claimed.add(n);
  return claimed;
}

test('claims all that it was given, and few others', () => {
  for (const count of [1, 16, 17, 300, 1024]) {
    const known = filterOf(count, 12_345 + count);
    for (let n = 0; n < count; n++) assert.ok(claimsId(known, wordsOf(n).first, wordsOf(n).second));
    // 2.4 % when full: (1 - exp(-4 / 8)) ** 4.
    assert.ok(falseClaims(known, 10_000, 5_000).size < 0.035 * 5_000, `${String(count)} ids`);
  }
});

test('with another salt it is wrong about others', () => {
  const first = falseClaims(filterOf(1024, 1), 10_000, 20_000);
  const second = falseClaims(filterOf(1024, 0xffff_fff0), 10_000, 20_000);
  assert.ok(first.size > 200);
  const both = [...first].filter((n) => second.has(n)).length;
  assert.ok(both < 0.08 * first.size, `${String(both)} of ${String(first.size)} twice`);
});

test('takes no more room than it needs, and at most a kilobyte', () => {
  const sizes = [0, 1, 64, 65, 600, 1024, 5000].map((count) => roomForIds(count, 1).bits.byteLength);
  assert.deepEqual(sizes, [0, 64, 64, 128, 1024, 1024, 1024]);
  assert.ok(sizes.every(isFilterSize));
  assert.ok(![1, 32, 65, 96, 1000, 2048].some(isFilterSize));
  assert.equal(claimsId(NOTHING_KNOWN, 0, 0), false);
});

test('the newest of a table, also where it has wrapped', () => {
  const ids = new RecentIds(100);
  for (let n = 0; n < 250; n++) ids.add(idOf(n));
  const seen: IdWords[] = [];
  ids.forNewest(3, (first, second) => seen.push({ first, second }));
  assert.deepEqual(seen, [249, 248, 247].map(wordsOf));
  let count = 0;
  ids.forNewest(1000, () => count++);
  assert.equal(count, 100);
});
