/** The rate of traffic from counters: over the last minute, and anew with another swarm or another start. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage } from './open-page.ts';

interface Sample {
  at: number;
  swarm: string;
  bytesIn: number;
  bytesOut: number;
}
/** The page is another TypeScript project, so what is used of it is stated here. */
interface TrafficModule {
  withSample: (samples: readonly Sample[], sample: Sample) => readonly Sample[];
  trafficRate: (samples: readonly Sample[], now: number) => { in: number; out: number } | null;
}
const source = new URL('../../src-renderer/state/traffic.ts', import.meta.url).href;
const { trafficRate, withSample } = (await import(source)) as TrafficModule;

const sample = (seconds: number, bytesIn: number, bytesOut = 0, swarm = 'waggle'): Sample => ({
  at: 1000 * seconds,
  swarm,
  bytesIn,
  bytesOut,
});
const of = (...samples: Sample[]) => samples.reduce<readonly Sample[]>(withSample, []);

test('bytes a second over the last minute; nothing is said of a few seconds', () => {
  assert.equal(trafficRate([], 0), null);
  assert.equal(trafficRate(of(sample(0, 5000)), 2000), null);
  assert.deepEqual(trafficRate(of(sample(0, 5000), sample(5, 6000, 500)), 10_000), { in: 100, out: 50 });
  const long = of(sample(0, 0), sample(30, 900_000), sample(60, 900_000), sample(90, 903_000));
  assert.deepEqual(trafficRate(long, 90_000), { in: 50, out: 0 }, 'what was before the minute does not count');
  assert.deepEqual(trafficRate(of(sample(0, 0), sample(5, 1000)), 500_000), { in: 0, out: 0 }, 'and ends with it');
});

test('counters of another swarm or another start are no traffic', () => {
  assert.equal(of(sample(0, 5000), sample(10, 9000, 0, 'friends')).length, 1);
  assert.equal(of(sample(0, 5000), sample(10, 20)).length, 1);
});

test('a thousand statuses a minute are bounded by the minute', () => {
  const samples = of(...Array.from({ length: 1000 }, (_, i) => sample(i, 100 * i)));
  assert.ok(samples.length <= 62, String(samples.length));
  assert.deepEqual(trafficRate(samples, 999_000), { in: 100, out: 0 });
});

test('on the page: the rate follows the statuses', async (t) => {
  const { page, node } = await openPage(t, 'training', { view: 'swarm' });
  await page.getByText('rate not known yet').first().waitFor();
  await page.getByText('0 B/s in the last minute').first().waitFor();
  const { status } = node.scenario;
  node.push('status', { ...status, swarm: { ...status.swarm, bytesIn: status.swarm.bytesIn + 600_000 } });
  await page.getByText(/^[1-9][\d.]* KB\/s in the last minute$/).waitFor();
});
