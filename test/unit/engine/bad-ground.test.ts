// A policy or a checkpoint that cannot be used: the node says what and how to fix it, answers its clients, and touches nothing.
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { formatManifest } from '../../../native-models/checkpoint/checkpoint-manifest.ts';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';
import { DataFolderError } from '../../../src-main/engine/data-folder.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { changeOneWeight, newFolder, openNode, progressOf, savedPolicy, type TestNode } from './test-node.ts';

/** The node stands still with a fault, its API answers, and it ends in order. */
async function assertFault(node: TestNode, code: string, message: RegExp, fix: RegExp): Promise<void> {
  const { state, policy, round } = await node.until('error', 'fault');
  assert.ok(state.reason?.kind === 'fault');
  assert.equal(state.reason.code, code, state.text);
  assert.match(state.reason.message, message);
  assert.match(state.reason.fix, fix);
  assert.deepEqual([policy, round], [null, 0]);
  assert.deepEqual(await node.invoke('rounds', { sinceRound: 0, limit: 10 }), []);
  assert.ok((await node.invoke('log', { limit: 100, level: 'error' })).some((row) => row.message.includes(code)));
  await node.engine.close();
}

const copyOfBundled = async (name: string): Promise<string> => {
  const directory = join(newFolder(), name);
  await cp(bundledPolicyDirectory(), directory, { recursive: true });
  return directory;
};

/** Sealed with a true checksum, as its own writer would. */
const newerManifest = formatManifest({
  formatVersion: 99,
  version: 1,
  identity: 'waggle-starter',
  savedAt: 1,
  files: {},
} as unknown as Parameters<typeof formatManifest>[0]);

/** Two rounds, two checkpoints. */
async function trained(): Promise<string> {
  const node = await openNode({ rounds: 2, checkpointSeconds: 0 });
  await node.until('waiting', 'roundsDone');
  await node.engine.close();
  return node.directory;
}
const contents = async (folder: string): Promise<Record<string, string>> => {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = names.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path, (await readFile(path)).toString('base64')] as const;
  });
  return Object.fromEntries(await Promise.all(files));
};

describe('policy folders', () => {
  test('one that is not there', async () => {
    const node = await openNode({ policyDirectory: join(newFolder(), 'nowhere') });
    await assertFault(node, 'policyMissing', /nowhere/, /config\.json/);
  });

  test('weights that are cut off; mended, it goes on when resumed', async () => {
    const policyDirectory = await copyOfBundled('cut');
    const weights = join(policyDirectory, 'model.safetensors');
    const whole = await readFile(weights);
    await truncate(weights, 1_000_000);
    const node = await openNode({ policyDirectory, rounds: 1 });
    const { state } = await node.until('error', 'fault');
    assert.match(state.text, /model\.safetensors/);
    await writeFile(weights, whole);
    await node.invoke('resume', null);
    assert.equal((await node.until('waiting', 'roundsDone')).round, 1);
    await node.engine.close();
  });

  test('a tokenizer that is no JSON', async () => {
    const policyDirectory = await copyOfBundled('scribbled');
    await writeFile(join(policyDirectory, 'tokenizer.json'), '{"model":');
    const node = await openNode({ policyDirectory });
    const { state } = await node.until('error', 'fault');
    assert.match(state.text, /tokenizer/);
    assert.ok(state.reason?.kind === 'fault' && state.reason.code !== 'internal');
    const { fix } = state.reason;
    assert.equal(state.text.split(fix).length, 2, `the fix is said once: ${state.text}`);
    await node.engine.close();
  });
});

describe('checkpoints', () => {
  test('of another policy of the same name and shape: both go on beside each other', async () => {
    const directory = await trained();
    const { checkpoints } = await progressOf(directory);
    const before = await contents(checkpoints);
    const policyDirectory = await copyOfBundled('waggle-starter');
    await changeOneWeight(policyDirectory);
    const node = await openNode({ policyDirectory, rounds: 1, checkpointSeconds: 0 }, directory);
    assert.equal((await node.until('waiting', 'roundsDone')).round, 1);
    assert.equal((await node.invoke('rounds', { sinceRound: 0, limit: 10 })).length, 1);
    await node.engine.close();
    assert.deepEqual(await contents(checkpoints), before);
    const again = await openNode({ rounds: 1 }, directory);
    assert.equal((await again.until('waiting', 'roundsDone')).round, 3);
    assert.equal((await again.invoke('rounds', { sinceRound: 0, limit: 10 })).length, 3);
    await again.engine.close();
  });

  test('of the same policy in a folder of another name: it goes on', async () => {
    const directory = await trained();
    const node = await openNode({ policyDirectory: await copyOfBundled('renamed'), rounds: 1 }, directory);
    const { round, policy } = await node.until('waiting', 'roundsDone');
    assert.deepEqual([round, policy?.name], [3, 'renamed']);
    await node.engine.close();
  });

  test('put into the folder of another policy by hand: refused with both names, and left as it is', async () => {
    const directory = await trained();
    const mine = await progressOf(directory);
    const policyDirectory = await copyOfBundled('other-bee');
    await changeOneWeight(policyDirectory);
    const theirs = await progressOf(directory, policyDirectory);
    await cp(mine.checkpoints, theirs.checkpoints, { recursive: true });
    const before = await contents(theirs.checkpoints);
    const node = await openNode({ policyDirectory }, directory);
    const { state } = await node.until('error', 'fault');
    assert.ok(state.reason?.kind === 'fault');
    assert.equal(state.reason.code, 'foreign');
    assert.ok(state.text.includes(mine.identity) && state.text.includes(theirs.identity), state.text);
    assert.match(state.reason.fix, /--policy\b.*--data/);
    await node.engine.close();
    assert.deepEqual(await contents(theirs.checkpoints), before);
  });

  test('of an earlier version, right in the folder: taken over once by the policy of that name, left alone by others', async () => {
    const directory = await trained();
    const { checkpoints } = await progressOf(directory);
    const root = join(directory, 'checkpoints');
    const store = await openCheckpointStore(checkpoints, { keep: 2, identity: (await progressOf(directory)).identity });
    const { checkpoint } = await store.loadLatest();
    await rm(checkpoints, { recursive: true });
    const earlier = await openCheckpointStore(root, { keep: 2, identity: 'waggle-starter' });
    await earlier.save(checkpoint!);
    const before = await contents(root);

    const other = await copyOfBundled('other-bee');
    await changeOneWeight(other);
    const stranger = await openNode({ policyDirectory: other, rounds: 1 }, directory);
    assert.equal((await stranger.until('waiting', 'roundsDone')).round, 1);
    await stranger.engine.close();
    const after = await contents(root);
    for (const [path, content] of Object.entries(before)) assert.equal(after[path], content);

    const node = await openNode({ rounds: 1, checkpointSeconds: 0 }, directory);
    assert.equal((await node.until('waiting', 'roundsDone')).round, 3);
    await node.engine.close();
    assert.ok(!(await readdir(root)).some((name) => name.startsWith('checkpoint-')));
    assert.equal((await savedPolicy(directory)).round, 3);
  });

  test('of a newer Waggle: refused with what to do, and left as it is', async () => {
    const directory = newFolder();
    const { checkpoints } = await progressOf(directory);
    const folder = join(checkpoints, 'checkpoint-000000000007');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'manifest.json'), newerManifest);
    const before = await contents(checkpoints);
    const node = await openNode({}, directory);
    await assertFault(node, 'newerFormat', /newer format/, /newer version of Waggle/);
    const { [join(checkpoints, 'redo.log')]: log, ...after } = await contents(checkpoints);
    assert.equal(log, '');
    assert.deepEqual(after, before);
  });

  test('a cut-off one is passed over with a warning, and the one before it is used', async () => {
    const directory = await trained();
    const { checkpoints } = await progressOf(directory);
    const folders = (await readdir(checkpoints)).filter((name) => name.startsWith('checkpoint-')).sort();
    assert.equal(folders.length, 2);
    await truncate(join(checkpoints, folders[1]!, 'tensors.safetensors'), 5_000_000);
    const node = await openNode({ rounds: 2 }, directory);
    const done = await node.until('waiting', 'roundsDone');
    assert.equal(done.round, 3, 'round 2 was made again, then 3');
    assert.ok(node.log.some(({ level, message }) => level === 'warn' && message.includes(folders[1]!)));
    const rounds = await node.invoke('rounds', { sinceRound: 0, limit: 10 });
    assert.deepEqual(
      rounds.map(({ round }) => round),
      [1, 2, 3],
      'the history has each round once',
    );
    await node.engine.close();
    assert.equal((await savedPolicy(directory)).round, 3);
  });

  test('a damaged end of the redo log costs that round, a missing middle those after it', async () => {
    const first = await openNode({ checkpointSeconds: 3600 });
    await first.next('round', ({ round }) => round === 4);
    process.kill(first.computePids[0]!, 'SIGKILL');
    await first.next('log', ({ message }) => message.includes('The compute process ended'));
    await first.engine.close();
    const { checkpoints } = await progressOf(first.directory);
    const log = join(checkpoints, 'redo.log');
    const bytes = await readFile(log);
    await writeFile(log, bytes.subarray(0, bytes.length - 3));
    const second = await openNode({ rounds: 1 }, first.directory);
    const { round } = await second.until('waiting', 'roundsDone');
    assert.ok(round >= 4, `round ${round}`);
    assert.ok(second.log.some(({ message }) => /last \d+ bytes of the redo log were damaged/.test(message)));
    await second.engine.close();

    // The first frame goes: what is left does not follow the base policy.
    await rm(checkpoints, { recursive: true });
    await mkdir(checkpoints);
    await writeFile(log, bytes.subarray(8 + bytes.readUInt32LE(0)));
    const third = await openNode({ rounds: 1 }, first.directory);
    assert.equal((await third.until('waiting', 'roundsDone')).round, 1);
    assert.ok(third.log.some(({ message }) => /logged rounds do not follow the base policy/.test(message)));
    assert.equal((await third.invoke('rounds', { sinceRound: 0, limit: 10 })).length, 1, 'the history is rewound');
    await third.engine.close();
  });
});

test('a second engine on the same folder is refused, and the first goes on', async () => {
  const first = await openNode({ rounds: 2 });
  await assert.rejects(openNode({}, first.directory), (error: unknown) => {
    assert.ok(error instanceof DataFolderError);
    assert.deepEqual([error.code, /--data/.test(error.fix)], ['dataFolderLocked', true]);
    return true;
  });
  assert.equal((await first.until('waiting', 'roundsDone')).round, 2);
  await first.engine.close();
  const { checkpoints, identity } = await progressOf(first.directory);
  const store = await openCheckpointStore(checkpoints, { keep: 2, identity });
  assert.deepEqual((await store.loadLatest()).damaged, []);
});
