// A disk that is full, as the system itself reports it (a small tmpfs): the node waits and says so, loses nothing, and goes on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { newFolder, openNode, progressOf, savedPolicy, type TestNode } from './test-node.ts';

const ROUNDS = 6;
const MEGABYTE = 1024 * 1024;
const disk = smallDisk();

describe('a full disk', { skip: typeof disk === 'string' ? false : disk.reason }, () => {
  const directory = join(disk as string, 'data');
  const filler = join(disk as string, 'filler');
  const opened: TestNode[] = [];
  // Before the folder goes: a node that a failed test left would write into it.
  after(async () => {
    await Promise.all(opened.map(({ engine }) => engine.close()));
    execFileSync('umount', ['-l', disk as string]);
  });
  const nodeOn = async (flags: Record<string, unknown>): Promise<TestNode> => {
    const node = await openNode({ rounds: ROUNDS, ...flags }, directory);
    opened.push(node);
    return node;
  };
  /** Paused meanwhile: a fast machine would be through with all rounds before a slow disk is full. */
  const fillAfterRound2 = async (node: TestNode, leftBytes: number): Promise<void> => {
    await node.next('round', ({ round }) => round === 2);
    await node.invoke('pause', null);
    await node.until('paused');
    await fill(filler, leftBytes);
    await node.invoke('resume', null);
  };
  const assertWaits = async (node: TestNode): Promise<void> => {
    const { state } = await node.until('waiting', 'diskFull');
    assert.match(state.text, /^The disk is full: \d+ MB free at .*data$/);
    assert.ok(node.log.some(({ level, message }) => level === 'error' && /nothing is lost/.test(message)));
  };

  for (const [what, leftBytes, checkpointSeconds] of [
    ['not a byte is left for the redo log', 0, 3600],
    ['there is room for the log, but not for a checkpoint', 8 * MEGABYTE, 0],
  ] as const) {
    test(`${what}: it waits, goes on by itself, and the bits are those of an undisturbed run`, async () => {
      const reference = await openNode({ rounds: ROUNDS, checkpointSeconds });
      await reference.until('waiting', 'roundsDone');
      await reference.engine.close();

      await rm(directory, { recursive: true, force: true });
      const node = await nodeOn({ checkpointSeconds });
      await fillAfterRound2(node, leftBytes);
      await assertWaits(node);
      assert.equal(node.computePids.length, 1);
      await rm(filler);
      const { round, computeRestarts } = await node.until('waiting', 'roundsDone');
      assert.deepEqual([round, computeRestarts, node.computePids.length], [ROUNDS, 0, 1]);
      const history = await node.invoke('rounds', { sinceRound: 0, limit: 100 });
      assert.deepEqual(
        history.map((row) => row.round),
        [1, 2, 3, 4, 5, 6],
      );
      await node.engine.close();
      assert.deepEqual(await savedPolicy(directory), await savedPolicy(reference.directory));
    });
  }

  test('ended while it waits, started again while the disk is still full: it waits again, then goes on', async () => {
    await rm(directory, { recursive: true, force: true });
    const node = await nodeOn({});
    await fillAfterRound2(node, 0);
    await assertWaits(node);
    await node.engine.close();
    await fill(`${filler}-2`, 0); // what the end has given back
    const again = await nodeOn({});
    await assertWaits(again);
    assert.ok((await again.status()).round >= 2, 'rounds 1 and 2 were kept');
    await Promise.all([rm(filler), rm(`${filler}-2`)]);
    await again.until('waiting', 'roundsDone');
    await again.engine.close();
    const left = await readdir((await progressOf(directory)).checkpoints);
    assert.ok(!left.some((name) => name.startsWith('.')), `no half-written checkpoint stays: ${left.join(', ')}`);
  });
});

/** Takes all room of the disk but `leftBytes`. */
async function fill(path: string, leftBytes: number): Promise<void> {
  const file = await open(path, 'w');
  const chunk = Buffer.alloc(MEGABYTE / 8);
  let bytes = 0;
  try {
    for (;;) bytes += (await file.write(chunk)).bytesWritten;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
  if (leftBytes > 0) await file.truncate(Math.max(0, bytes - leftBytes));
  await file.close();
}

/** A disk of 220 MB in memory (the node goes on when 128 are free), or why there is none. */
function smallDisk(): string | { reason: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { reason: 'needs root on Linux to mount a tmpfs' };
  const directory = newFolder();
  mkdirSync(directory, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=220m', 'tmpfs', directory], { stdio: 'pipe' });
    return directory;
  } catch (error) {
    return { reason: `no tmpfs can be mounted here: ${String(error).slice(0, 100)}` };
  }
}
