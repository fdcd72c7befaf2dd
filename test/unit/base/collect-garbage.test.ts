import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectGarbageEvery } from '../../../src-main/base/collect-garbage.ts';

test('what nobody holds any more is freed, without V8 having a reason of its own', async () => {
  let freed = 0;
  const registry = new FinalizationRegistry(() => freed++);
  const stop = collectGarbageEvery(20);
  for (let i = 0; i < 10; i++) registry.register(new ArrayBuffer(1_000), i);
  for (let waits = 0; waits < 200 && freed < 10; waits++) await sleep(20);
  stop();
  assert.equal(freed, 10);
});
