/** `npm run demo`: three nodes trade on one machine, and all of it ends cleanly, however it ends. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive, startProgram, temporaryFolder, until, within, type Program } from './local-node.ts';

/** What each node last said about itself. */
function lastLines(demo: Program): Map<string, string> {
  const lines = demo.stdout().matchAll(/^node (\d+) {2}(.*)$/gm);
  return new Map([...lines].map(([, number, text]) => [number!, text!]));
}

/** The demo's folders; tools that build the page leave caches of their own beside them. */
function demoFolders(temporary: string): string[] {
  return readdirSync(temporary).filter((name) => name.startsWith('waggle-'));
}

/** Process ids of the demo's nodes by the files they leave while they run. */
function nodePids(temporary: string): number[] {
  return demoFolders(temporary).flatMap((folder) =>
    readdirSync(join(temporary, folder)).flatMap((node) => {
      try {
        return (JSON.parse(readFileSync(join(temporary, folder, node, 'runtime.json'), 'utf8')) as { pid: number }).pid;
      } catch {
        return [];
      }
    }),
  );
}

async function startDemo(nodes = 3): Promise<{ demo: Program; temporary: string; pids: number[] }> {
  const temporary = temporaryFolder();
  const demo = startProgram('demo.ts', [`--nodes=${nodes}`, '--seconds=150'], { TMPDIR: temporary });
  const words = (): string => `No dashboard:\n${demo.stdout()}${demo.stderr()}`;
  await until(
    () => /Dashboard of node 1: http:\/\/127\.0\.0\.1:\d+\/\?token=/.test(demo.stdout()),
    60_000,
    words,
    demo,
  );
  const pids = nodePids(temporary);
  assert.equal(pids.length, nodes);
  return { demo, temporary, pids };
}

async function nothingLeft(temporary: string, pids: readonly number[]): Promise<void> {
  await until(
    () => !pids.some(isAlive),
    20_000,
    () => `Left behind: ${pids.filter(isAlive).join(', ')}`,
  );
  assert.deepEqual(demoFolders(temporary), []);
}

test('three nodes adopt groups of each other; Ctrl-C ends all of it', async () => {
  const { demo, temporary, pids } = await startDemo();
  const adopted = (): boolean => {
    const lines = [...lastLines(demo).values()];
    return (
      lines.length === 3 && lines.every((line) => /mean reward [01]\.\d+ {2}2 peers .* [1-9]\d* adopted$/.test(line))
    );
  };
  await until(adopted, 120_000, () => `Not every node has adopted a group:\n${demo.stdout()}${demo.stderr()}`, demo);
  demo.signal('SIGINT');
  const ended = await within(60_000, demo.ended, () => 'The demo did not end');
  assert.deepEqual(ended, { code: 0, signal: null }, demo.stderr());
  assert.doesNotMatch(demo.stderr(), /has ended/);
  await nothingLeft(temporary, pids);
});

test('a node that dies is named, and the others are ended', async () => {
  const { demo, temporary, pids } = await startDemo(2);
  process.kill(pids[1]!, 'SIGKILL');
  const ended = await within(60_000, demo.ended, () => 'The demo did not end');
  assert.deepEqual(ended, { code: 1, signal: null }, demo.stderr());
  assert.match(demo.stderr(), /waggle: node \d has ended \(/);
  assert.equal(demo.stderr().match(/has ended/g)?.length, 1, demo.stderr());
  await nothingLeft(temporary, pids);
});

test('nodes do not outlive a demo that is killed', async () => {
  const { demo, pids } = await startDemo(2);
  demo.signal('SIGKILL');
  await demo.ended;
  await until(
    () => !pids.some(isAlive),
    20_000,
    () => `Left behind: ${pids.filter(isAlive).join(', ')}`,
  );
});
