/** "Imports point one way": the rules of the architecture as a table, checked on the real import graph. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCycle, importGraph, importsIn } from './imports.ts';
import type { ImportEdge } from './imports.ts';

const edges = importGraph(['native-models', 'src-main', 'src-renderer', 'test']);
const production = edges.filter(({ from }) => !from.startsWith('test/'));

/** What every part of src-main may use. */
const common = ['src-main/base', 'src-main/types.ts', 'src-main/config.ts', 'src-main/config'];
const lower = ['tasks', 'data', 'rollout', 'swarm', 'objective', 'train', 'stats', 'store', 'models', 'hardware'].map(
  (name) => `src-main/${name}`,
);
const shellParts = ['src-main/engine', 'src-main/cli', ...lower, ...common, 'native-models'];

/** Folder or file -> the folders and files of ours that it may import besides itself. The longest matching row counts. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'native-models': [],
  'native-models/bundled/build': [
    'native-models',
    'src-main/tasks',
    'src-main/rollout',
    'src-main/objective',
    'src-main/train',
    ...common,
  ],
  'src-main/types.ts': [],
  'src-main/base': ['src-main/types.ts'],
  'src-main/config.ts': common,
  'src-main/config': common,
  'src-main/tasks': common,
  'src-main/data': ['src-main/tasks', ...common],
  'src-main/rollout': ['src-main/tasks', 'native-models', ...common],
  'src-main/swarm': common,
  'src-main/objective': ['native-models', ...common],
  'src-main/train': ['src-main/rollout', 'src-main/objective', 'native-models', ...common],
  'src-main/stats': common,
  'src-main/store': ['src-main/stats', 'src-main/engine/api.ts', ...common],
  'src-main/models': ['src-main/engine/api.ts', 'native-models', ...common],
  'src-main/hardware': ['src-main/engine/api.ts', 'native-models', ...common],
  'src-main/engine': [...lower, ...common, 'native-models'],
  'src-main/electron': shellParts,
  'src-main/cli': [...shellParts, 'src-main/headless.ts', 'src-main/start.ts', 'src-main/demo.ts'],
  'src-main': ['src-main'],
  'src-renderer': ['src-main/engine/api.ts', 'src-main/types.ts'],
};

const within = (path: string, place: string) => path === place || path.startsWith(`${place}/`);
function rowOf(path: string): string | undefined {
  return Object.keys(allowed)
    .filter((place) => within(path, place))
    .sort((a, b) => b.length - a.length)[0];
}
function breaksDirection({ from, to, isPackage }: ImportEdge): boolean {
  if (isPackage) return false;
  const row = rowOf(from);
  return row === undefined || ![row, ...allowed[row]!].some((place) => within(to, place));
}
const show = (list: ImportEdge[]) => list.map(({ from, to }) => `${from} -> ${to}`);

test('imports between our folders point one way', () => {
  assert.ok(production.length > 100, 'the import graph was read');
  assert.deepEqual(show(production.filter(breaksDirection)), []);
});

test('the build of the bundled policy is a script that nothing imports', () => {
  const place = 'native-models/bundled/build';
  assert.deepEqual(show(production.filter(({ from, to }) => within(to, place) && !within(from, place))), []);
});

test('there is no cycle of imports that run at start', () => {
  assert.equal(findCycle(edges), null);
});

const owners: { packages: RegExp; places: string[] }[] = [
  { packages: /^onnxruntime-(node|common)(\/|$)/, places: ['native-models/runtime'] },
  { packages: /^electron(\/|$)/, places: ['src-main/electron'] },
  {
    packages: /^(hyperswarm|hyperdht|protomux|compact-encoding|sodium-native)(\/|$)/,
    places: ['src-main/swarm', 'src-main/demo.ts'],
  },
  { packages: /^node:sqlite$/, places: ['src-main/store', 'src-main/engine/data-folder.ts'] },
];
for (const { packages, places } of owners) {
  test(`only ${places.join(', ')} imports ${packages.source}`, () => {
    const strangers = production.filter(({ from, to, isPackage }) => {
      return isPackage && packages.test(to) && !places.some((place) => within(from, place));
    });
    assert.deepEqual(show(strangers), []);
  });
}

test('nothing but the shell imports electron, not even a test', () => {
  const strangers = edges.filter(({ from, to }) => /^electron(\/|$)/.test(to) && !within(from, 'src-main/electron'));
  assert.deepEqual(show(strangers), []);
});

test('the renderer takes only types from the rest, and nothing from Node', () => {
  const ours = production.filter(({ from, to }) => within(from, 'src-renderer') && within(to, 'src-main'));
  assert.deepEqual(show(ours.filter(({ typeOnly }) => !typeOnly)), []);
  const node = production.filter(({ from, to }) => within(from, 'src-renderer') && to.startsWith('node:'));
  assert.deepEqual(show(node.filter(({ from }) => !from.endsWith('vite.config.ts'))), []);
});

test('the renderer points one way too: nothing of ours imports its views, and ui imports no domain', () => {
  const inRenderer = production.filter(({ from, isPackage }) => within(from, 'src-renderer') && !isPackage);
  const rooted = (path: string) => /^src-renderer\/[^/]+$/.test(path);
  const shell = (path: string) => rooted(path) || within(path, 'src-renderer/shell');
  const toViews = inRenderer.filter(({ from, to }) => {
    return within(to, 'src-renderer/views') && !within(from, 'src-renderer/views') && !shell(from);
  });
  assert.deepEqual(show(toViews), []);
  const belowUi = ['ui', 'state', 'api'].map((name) => `src-renderer/${name}`);
  const fromUi = inRenderer.filter(({ from, to }) => {
    return within(from, 'src-renderer/ui') && !rooted(to) && !belowUi.some((place) => within(to, place));
  });
  assert.deepEqual(show(fromUi), []);
});

test('the checks themselves find what they look for', () => {
  const text = [
    "import { a } from '../engine/loop.ts';",
    "import type { B } from '../rollout/x.ts';",
    "const c = await import('electron');",
    "export * from './d.ts';",
    "type E = import('../swarm/e.ts').E;",
    "// import '../not/me.ts';",
  ].join('\n');
  const found = importsIn('src-main/tasks/t.ts', text);
  assert.deepEqual(
    found.map(({ to, typeOnly }) => [to, typeOnly]),
    [
      ['src-main/engine/loop.ts', false],
      ['src-main/rollout/x.ts', true],
      ['electron', false],
      ['src-main/tasks/d.ts', false],
      ['src-main/swarm/e.ts', true],
    ],
  );
  assert.deepEqual(found.map(breaksDirection), [true, true, false, false, true]);
  const edge = (from: string, to: string): ImportEdge => ({ from, to, isPackage: false, typeOnly: false, lazy: false });
  assert.deepEqual(findCycle([edge('a', 'b'), edge('b', 'c'), edge('c', 'a')]), ['a', 'b', 'c', 'a']);
  assert.equal(findCycle([edge('a', 'b'), edge('b', 'c'), { ...edge('c', 'a'), typeOnly: true }]), null);
});
