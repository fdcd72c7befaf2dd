/**
 * Hostile text all the way: a peer that writes to the wire by hand sends bidi overrides, controls, escape sequences, markup and
 * invisible characters wherever the protocol takes text; a real node checks, trains and keeps; the real page shows it. What is
 * seen there, in the node's answers and in its log has none of those characters, and the harmless rest of each text.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createLog } from '../../src-main/base/log.ts';
import { rendererDirectory } from '../../src-main/base/app-root.ts';
import { loadConfig } from '../../src-main/config.ts';
import { openEngine } from '../../src-main/engine/engine.ts';
import { serveNode } from '../../src-main/engine/serve/serve-node.ts';
import { packBody } from '../../src-main/swarm/codec/body.ts';
import { ByteWriter } from '../../src-main/swarm/codec/bytes.ts';
import { NOTE } from '../../src-main/swarm/codec/notes.ts';
import { sign } from '../../src-main/swarm/identity/crypto.ts';
import { instantiate } from '../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../src-main/tasks/task-sets.ts';
import { eventually } from '../renderer/open-page.ts';
import { atEnd, openDht, until, type Opened } from '../swarm/local-swarm.ts';
import { dial, type Stranger } from '../swarm/stranger.ts';
import { newFolder, tinyRounds } from '../unit/engine/test-node.ts';
import { openDashboard } from './dashboard.ts';

/** Reverses, hides, rings, clears the screen, ends the line, opens a tag; and a part of each that is harmless. */
const hostile = (marker: string): string =>
  `\u202e${marker}\u2066\u200b\u200f\u061c\ufeff\u0007\u001b[2J\u001b]0;x\u0007\u0085\u2028<img src=x onerror="window.hacked=1">`;
/** Cc but line ends and tabs, and everything that is invisible or changes the direction. */
const forbidden = /[^\P{Cc}\n\t\r]|[\p{Bidi_Control}\p{Cf}\u2028\u2029\u200b\ufeff]/u;

function assertHarmless(text: string, where: string): void {
  const found = forbidden.exec(text);
  if (found === null) return;
  const around = JSON.stringify(text.slice(Math.max(0, found.index - 80), found.index + 40));
  assert.fail(`${where} has U+${found[0].codePointAt(0)!.toString(16)} in ${around}`);
}

let index = 0;
/** One answer right, one wrong, both hostile; another task each time, so that nothing is a duplicate. */
function hostileRecord(stranger: Stranger): Buffer {
  const [ref] = sampleTaskRefs(getTaskSet('starter')!, { seed: 4242n, from: index++, count: 1 });
  const made = instantiate(ref!);
  assert.ok(made.ok);
  const texts = [
    `${hostile('thoughts')}${String(index)}\n<answer>${made.instance.answer}</answer>`,
    hostile('nonsense'),
  ];
  const packed = packBody({
    task: ref!,
    policyName: hostile('evil').slice(0, 30),
    completions: texts.map((text) => ({ text, ended: true })),
  });
  assert.ok(packed.ok);
  return stranger.record(packed.value);
}

/** The product sanitises names when it signs them; this one does not. */
function hostileProfile({ identity }: Stranger): Buffer {
  const { publicKey, secretKey } = identity.keyPair;
  const unsigned = new ByteWriter()
    .u8(NOTE.profileByte)
    .fixed(publicKey, 32)
    .u53(Date.now())
    .text(`\u202eMallory\u200b\u001b[1m<b>`, NOTE.maxNameBytes)
    .text(`\u2067Gang\u0007`, NOTE.maxNameBytes)
    .fixed(publicKey, 32)
    .u8(0)
    .bytes();
  return Buffer.concat([unsigned, sign('profile', unsigned, secretKey)]);
}

async function openNode(t: TestContext, bootstrap: { host: string; port: number }[]) {
  const dataDirectory = newFolder();
  const { config } = loadConfig({
    flags: {
      ...tinyRounds,
      dataDirectory,
      swarmEnabled: true,
      swarm: 'test',
      bootstrap: bootstrap.map(({ host, port }) => `${host}:${port}`),
      logLevel: 'debug',
    },
  });
  const log = createLog({ directory: join(dataDirectory, 'logs'), level: 'debug' });
  const engine = await openEngine({ config, log });
  atEnd(t, () => engine.close());
  const served = await serveNode({ api: engine.api, dataDirectory, rendererDirectory, port: 0 });
  atEnd(t, () => served.close());
  return { engine, served, logFile: join(dataDirectory, 'logs', 'waggle.log') };
}

test('text of a hostile peer is harmless in the node’s answers, in its log and on every view of its page', async (t) => {
  for (const character of hostile('').replace(/[ -~]/g, ''))
    assert.throws(() => assertHarmless(`a${character}b`, 'it'), 'the check finds each of them');
  const { bootstrap } = await openDht(t);
  const { engine, served, logFile } = await openNode(t, bootstrap);
  const { api } = engine;
  const { publicKey } = (await api.invoke('status', null)).swarm;
  const stranger = await dial(t, { options: { bootstrap, identity: { publicKey } } } as unknown as Opened);
  stranger.serveBytes(() => [hostileProfile(stranger), ...Array.from({ length: 4 }, () => hostileRecord(stranger))]);
  await stranger.greet();
  let adopted = 0;
  let logged = '';
  api.subscribe('log', ({ message }) => (logged += `${message}\n`));
  api.subscribe('status', ({ swarm }) => (adopted = swarm.groupsAdopted));
  await until('its answers are trained on', () => adopted > 2, 60_000);
  // Forged too, so that a refusal is told in the log.
  stranger.serveBytes(() => {
    const record = hostileRecord(stranger);
    record[record.byteLength - 1]! ^= 1;
    return [record];
  });
  await until('a refusal is in the log', () => logged.includes('refused from'), 30_000);

  const shown = () => api.invoke('rollouts', { limit: 50, beforeId: null, origin: 'peers' });
  await eventually(async () => assert.ok((await shown()).length > 3, 'the round is recorded'));
  const answers = {
    peers: await api.invoke('peers', null),
    rollouts: await shown(),
    board: await api.invoke('board', { window: 'day' }),
    leaderboard: await api.invoke('leaderboard', null),
    log: await api.invoke('log', { limit: 500, level: 'debug' }),
    status: await api.invoke('status', null),
  };
  const strings = (value: unknown): string[] =>
    typeof value === 'string'
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => [key, ...strings(inner)])
        : [];
  for (const [name, answer] of Object.entries(answers))
    for (const text of strings(answer)) assertHarmless(text, `the answer to ${name}`);
  const all = strings(answers).join('\n');
  for (const part of [/Mallory/, /Gang/, /evil/, /thoughts/, /nonsense/]) assert.match(all, part, 'it did arrive');
  assertHarmless(await readFile(logFile, 'utf8'), 'the log file');

  const board = await openDashboard(served.url);
  for (const [view, parts] of [
    ['Swarm', [/Mallory/, /evil/]],
    ['Leaderboard', [/Mallory/, /Gang/]],
    ['Rollouts', [/thoughts|nonsense/]],
    ['Log', [/./]],
  ] as const) {
    await board.show(view);
    if (view === 'Rollouts') await board.page.getByRole('radio', { name: 'Peers' }).click();
    for (const part of parts) {
      await eventually(async () => assert.match((await board.page.locator('main').textContent()) ?? '', part), 20_000);
    }
    assertHarmless(await board.page.content(), `the view ${view}`);
  }
  assert.equal(await board.page.evaluate<unknown>('window.hacked'), undefined);
  assert.equal(await board.page.locator('main img').count(), 0);
  assert.deepEqual(board.errors, []);
});
