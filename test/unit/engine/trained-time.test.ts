import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrainedTime } from '../../../src-main/engine/run/trained-time.ts';

test('only time between start and stop counts, each moment is taken once, and saying the same twice changes nothing', () => {
  let now = 1000;
  const trained = new TrainedTime(() => now);
  now += 50; // before the start
  trained.start();
  now += 30;
  trained.start();
  assert.equal(trained.pendingMs, 30);
  assert.equal(trained.takeMs(), 30);
  now += 5;
  trained.stop();
  trained.stop();
  now += 100; // paused
  assert.equal(trained.pendingMs, 5);
  trained.start();
  now += 7;
  assert.equal(trained.takeMs(), 12);
  assert.equal(trained.takeMs(), 0);
});
