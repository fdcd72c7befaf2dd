/** Where everybody stands on the map of the hour: nobody, one, eight, five hundred; inside the picture and never on each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerRow } from '../../src-main/engine/api.ts';
import { keyOf, makeCrowd } from './credit-rows.ts';

/** The page is another TypeScript project, so what is used of it is stated here. */
interface HourMapModule {
  hourMap: (
    rows: readonly PeerRow[],
    shape?: MapShape,
  ) => {
    rank: number | null;
    groups: number;
    count: number;
    line: string;
    x: number;
    y: number;
    radius: number;
    width: number;
  }[];
  describeHour: (rows: readonly PeerRow[]) => string;
  mapShapes: { wide: MapShape; narrow: MapShape };
}
interface MapShape {
  width: number;
  height: number;
  centre: { x: number; y: number };
}
const source = new URL('../../src-renderer/swarm/hour-map.ts', import.meta.url).href;
const { describeHour, hourMap, mapShapes } = (await import(source)) as HourMapModule;

const rowsOf = (counts: readonly number[], connected = true): PeerRow[] =>
  makeCrowd(counts.length).map((row, i) => ({
    ...row,
    connected,
    path: connected ? 'direct' : null,
    adoptedLastHour: counts[i]!,
  }));

test('nobody, and neighbours that gave nothing', () => {
  assert.deepEqual(hourMap([]), []);
  assert.equal(describeHour([]), 'Nothing adopted within the last hour; 0 peers connected.');
  const [idle] = hourMap(rowsOf([0]));
  assert.deepEqual([idle?.rank, idle?.groups, idle?.width], [null, 0, 1]);
  assert.deepEqual(hourMap(rowsOf([0], false)), [], 'whoever gave nothing and is gone is not on it');
  assert.equal(describeHour(rowsOf([0, 0])), 'Nothing adopted within the last hour; 2 peers connected.');
});

test('one stands at the top; eight by what they gave, the thickest line to the largest', () => {
  const [one] = hourMap(rowsOf([5]));
  assert.deepEqual([one?.x, one?.rank, one?.line], [mapShapes.wide.centre.x, 1, 'direct']);
  assert.ok(one!.y < mapShapes.wide.centre.y);
  const eight = hourMap(rowsOf([1, 9, 4, 0, 2, 7, 3, 8]));
  assert.deepEqual(
    eight.map(({ groups }) => groups),
    [9, 8, 7, 4, 3, 2, 1, 0],
  );
  const widths = eight.map(({ width }) => width);
  assert.deepEqual(
    widths,
    widths.toSorted((a, b) => b - a),
  );
  assert.equal(new Set(widths).size, 8);
  assert.equal(describeHour(rowsOf([3, 1], false)), '4 groups of 2 peers within the last hour, none connected now.');
});

test('five hundred: twelve places and the others as one; all inside, none on another, every group counted', () => {
  const counts = [1, 2, 3, 8, 12, 13, 14, 500];
  for (const [count, shape] of counts.flatMap((n) => Object.values(mapShapes).map((shape) => [n, shape] as const))) {
    const rows = rowsOf(Array.from({ length: count }, (_, i) => 1 + (i % 40)));
    const nodes = hourMap(rows, shape);
    assert.equal(nodes.length, Math.min(count, 13));
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    assert.equal(sum(nodes.map(({ groups }) => groups)), sum(rows.map(({ adoptedLastHour }) => adoptedLastHour)));
    assert.equal(sum(nodes.map((node) => node.count)), count);
    for (const [i, { x, y, radius, width }] of nodes.entries()) {
      assert.ok(x - radius >= 0 && x + radius <= shape.width && y - radius >= 0 && y + radius <= shape.height);
      assert.ok(width > 0 && width <= 11);
      for (const other of nodes.slice(i + 1))
        assert.ok(Math.hypot(x - other.x, y - other.y) > radius + other.radius, `${count}: two overlap`);
    }
  }
});

test('lines say how this node is linked to each now', () => {
  const base = makeCrowd(1)[0]!;
  const lineOf = (changes: Partial<PeerRow>) => hourMap([{ ...base, peer: keyOf(1), ...changes }])[0]?.line;
  assert.equal(lineOf({ connected: true, path: 'relayed' }), 'relayed');
  assert.equal(lineOf({ connected: true, path: 'lan' }), 'lan');
  assert.equal(lineOf({ connected: true, path: null }), 'direct');
  assert.equal(lineOf({ connected: false, path: null }), 'gone');
  assert.equal(hourMap(makeCrowd(14)).at(-1)?.line, 'several');
});
