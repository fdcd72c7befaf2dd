import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricDefinition } from '../../../src-main/engine/api.ts';
import { groupStatistics } from '../../../src-main/stats/group-statistics.ts';
import { finiteMetrics, isMetricName, metricDefinitions } from '../../../src-main/stats/metrics.ts';

test('every metric has a label of its own, a known unit and a meaning in a sentence', () => {
  const definitions: readonly MetricDefinition[] = metricDefinitions;
  const units = [
    '',
    'share',
    'reward',
    'nats',
    'tokens',
    'tokens/s',
    's',
    'groups',
    'records',
    'answers',
    'rounds',
    'peers',
    'steps',
    'MB',
  ];
  assert.equal(new Set(definitions.map((metric) => metric.label)).size, definitions.length);
  for (const metric of definitions) {
    assert.match(metric.name, /^[a-z][A-Za-z]+$/);
    assert.ok(units.includes(metric.unit), `${metric.name}: ${metric.unit}`);
    assert.match(metric.meaning, /^[A-Z].{20,}\.$/);
  }
});

test('names outside the table and numbers that are not finite are dropped and told', () => {
  const { metrics, dropped } = finiteMetrics({
    ownReward: 0.5,
    gradientNorm: NaN,
    learningRate: Infinity,
    made: 1,
    toString: 2,
    peers: undefined,
  });
  assert.deepEqual(metrics, { ownReward: 0.5 });
  assert.deepEqual(dropped, ['gradientNorm', 'learningRate', 'made', 'toString']);
  assert.ok(!isMetricName('__proto__') && isMetricName('ownReward'));
});

test('group statistics by hand', () => {
  const of = (reward: number, tokens: number, ended = true) => ({ reward, tokens, ended });
  const metrics = groupStatistics([
    [of(1, 10), of(0, 20), of(0, 30), of(1, 40, false)],
    [of(0, 10), of(0, 10), of(0, 10), of(0, 10, false)],
  ]);
  assert.deepEqual(metrics, {
    ownReward: 0.25,
    solvedTasks: 0.5,
    groupSpread: 0.25,
    zeroAdvantage: 0.5,
    completionTokens: 17.5,
    truncated: 0.25,
  });
  assert.deepEqual(groupStatistics([]), {});
  assert.deepEqual(groupStatistics([[]]), {});
});
