// A process is killed (SIGKILL) in the middle of saving, again and again: the newest finished save is always there, whole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';

const script = fileURLToPath(new URL('save-loop.ts', import.meta.url));
const kills = 16;

/** Starts the loop, waits until it has saved once, kills it after `delayMs`. Returns the last version it reported. */
async function runAndKill(directory: string, first: number, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [script, directory, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const saved = () => output.match(/(?<=saved )\d+(?=\n)/g) ?? [];
  const closed = once(child, 'close');
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  while (saved().length === 0 && child.exitCode === null) await once(child.stdout, 'data');
  await sleep(delayMs);
  child.kill('SIGKILL');
  const [, signal] = (await closed) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', 'the loop ended by itself');
  return Math.max(...saved().map(Number));
}

test(`${kills} kills lose nothing that was saved`, { timeout: 120_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'waggle-kill-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  let reported = 0;
  let leftovers = 0;
  for (let kill = 0; kill < kills; kill++) {
    reported = await runAndKill(directory, reported + 1, (kill * 17) % 60);
    leftovers += (await readdir(directory)).filter((name) => name.startsWith('.')).length;
    const store = await openCheckpointStore(directory, { keep: 2 });
    const { checkpoint, damaged } = await store.loadLatest();
    assert.ok(checkpoint && damaged.length === 0, JSON.stringify(damaged));
    // Killed between the rename and its report, the next one may already be there.
    assert.ok(
      checkpoint.version === reported || checkpoint.version === reported + 1,
      `${checkpoint.version} after ${reported}`,
    );
    assert.deepEqual(checkpoint.state, { version: checkpoint.version });
    assert.ok(checkpoint.tensors.a?.data.every((value) => value === checkpoint.version));
    const names = await readdir(directory);
    assert.ok(names.every((name) => name.startsWith('checkpoint-')) && names.length <= 3, names.join(' '));
    reported = checkpoint.version;
  }
  t.diagnostic(`${kills} kills, ${reported} checkpoints, ${leftovers} leftovers cleared`);
  assert.ok(leftovers > 0, 'no kill hit a save in progress: the test did not test');
});
