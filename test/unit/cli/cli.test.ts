/** The real `waggle` command as a child process, against a node served for real over a fake engine. */
import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { exampleState, exampleStatus } from '../serve/fake-node.ts';

const script = join(import.meta.dirname, '../../../src-main/cli.ts');

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

const waggle = (...args: string[]): Promise<Outcome> => run(args);

/** `heard` is told all of the output so far, whenever there is more. */
function run(args: string[], heard: (out: string) => void = () => undefined): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WAGGLE_')));
    const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const outcome: Outcome = { code: null, out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (part: string) => heard((outcome.out += part)));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (outcome.err += part));
    child.once('close', (code) => resolve({ ...outcome, code }));
  });
}

function dataFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function runningNode(t: TestContext) {
  const folder = dataFolder(t);
  const child = fork(join(import.meta.dirname, 'served-node.ts'), [folder], { stdio: 'inherit' });
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return { folder, child };
}

test('swarm peers: connected ones first, with their path and what was learned from them this hour', async (t) => {
  const { folder } = await runningNode(t);
  const { out, code } = await waggle('swarm', 'peers', '--data', folder);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
  assert.equal(code, 0);
  assert.deepEqual(lines[0], ['1 peer connected of 2 met']);
  assert.deepEqual(lines[2], [
    'cdcdcdcdcdcd',
    'local network',
    '12 ms',
    '2.0 KB',
    '1.0 KB',
    '40',
    '25',
    '17',
    '3',
    'both',
    'tiny',
  ]);
  assert.deepEqual(lines[3]!.slice(0, 3), ['abababababab', 'gone', '-']);
  assert.equal(out.includes('\u001b'), false);
  const json = JSON.parse((await waggle('swarm', 'peers', '--data', folder, '--json')).out) as unknown[];
  assert.equal(json.length, 2);
});

test('status, pause and resume reach the running node; --json is the API answer itself', async (t) => {
  const { folder, child } = await runningNode(t);
  assert.equal(statSync(join(folder, 'runtime.json')).mode & 0o777, 0o600, 'the token is for its owner only');
  const json = await waggle('status', '--data', folder, '--json');
  assert.deepEqual(JSON.parse(json.out), exampleStatus());
  assert.equal(json.code, 0);
  const text = await waggle('status', '--data', folder);
  assert.match(text.out, /^training: Training\n/);
  assert.match(text.out, /mean reward +0\.375 over the last 5 rounds/);
  assert.match(text.out, /rejected +forgedSignature 2, oversize 1/);
  assert.match(text.out, /network +behind an address translator .* seen as 203\.0\.113\.7:49737/);
  assert.match(text.out, /paths +1 direct, 0 relayed, 1 on the local network/);
  assert.match(text.out, /traffic +977 KB in, 1\.9 MB out \(at most 64\.0 KB\/s\)/);
  assert.match(text.out, /dashboard +http:\/\/127\.0\.0\.1:\d+\/\?token=/);
  assert.equal(text.out.includes('\u001b'), false, 'no colours in a pipe');
  assert.deepEqual(JSON.parse((await waggle('pause', '--data', folder, '--json')).out), exampleState('paused'));
  assert.equal((await waggle('status', '--data', folder)).out.split('\n')[0], 'paused: Paused by you');
  assert.equal((await waggle('resume', '--data', folder)).out, 'training: Training\n');
  const failing = await waggle('finish', '--data', folder, '--json');
  assert.equal(failing.code, 1);
  assert.equal((JSON.parse(failing.out) as { fault: { code: string } }).fault.code, 'internal');
  child.send('end');
  await once(child, 'exit');
  assert.equal(existsSync(join(folder, 'runtime.json')), false, 'an orderly end removes the file');
});

test('logs shows the past without control characters, and with -f what comes, until the node ends', async (t) => {
  const { folder, child } = await runningNode(t);
  const past = await waggle('logs', '--data', folder);
  assert.match(past.out, /info {2}engine {2}first\n/);
  assert.match(past.out, /red text/);
  for (const control of ['\u001b', '\u0007']) assert.equal(past.out.includes(control), false);
  const followed = await run(['logs', '-f', '--json', '--data', folder], (out) => {
    if (out.includes('later') && child.connected) child.send('end');
  });
  assert.equal(followed.code, 0);
  const messages = followed.out
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { message: string }).message);
  assert.equal(messages[0], 'first');
  assert.ok(messages.includes('later'));
  assert.match(followed.err, /has ended/);
});

test('quit ends the node and waits for its end', async (t) => {
  const { folder, child } = await runningNode(t);
  const exited = once(child, 'exit');
  const outcome = await waggle('quit', '--data', folder, '--json');
  assert.deepEqual([outcome.code, JSON.parse(outcome.out)], [0, { ended: true }]);
  await exited;
  const again = await waggle('quit', '--data', folder);
  assert.equal(again.code, 1);
  assert.match(again.err, /No node is running/);
});

test('logs of a node that has ended come from its folder, across rotated files and damaged lines', async (t) => {
  const folder = dataFolder(t);
  assert.match((await waggle('logs', '--data', folder)).err, /No node is running/, 'nothing was left');
  mkdirSync(join(folder, 'logs'));
  const line = (second: number, level: string, message: string) =>
    `2026-01-02T03:04:0${second}.000Z ${level.padEnd(5)} engine  ${message}\n`;
  writeFileSync(
    join(folder, 'logs', 'waggle.log.1'),
    line(1, 'info', 'older \u001b[31mred') + line(2, 'debug', 'fine'),
  );
  writeFileSync(join(folder, 'logs', 'waggle.log'), `${line(3, 'warn', 'newer')}2026-01-02T03:0`);
  const shown = await waggle('logs', '--data', folder);
  assert.equal(shown.code, 0);
  assert.match(shown.out, /^2026-01-02 03:04:01\.000 info {2}engine {2}older red\n.*warn {2}engine {2}newer\n$/);
  assert.match(shown.err, /No node is running.*rows it left/);
  const json = await waggle('logs', '--data', folder, '--json', '--lines', '1');
  assert.deepEqual(JSON.parse(json.out), {
    at: Date.UTC(2026, 0, 2, 3, 4, 3),
    level: 'warn',
    source: 'engine',
    message: 'newer',
  });
});

test('every way of not finding a node says the fix and ends with 1', async (t) => {
  const folder = dataFolder(t);
  const none = await waggle('status', '--data', folder);
  assert.equal(none.code, 1);
  assert.match(none.err, /No node is running on .*\n.*waggle start/);
  const json = await waggle('pause', '--data', folder, '--json');
  assert.equal((JSON.parse(json.out) as { fault: { code: string } }).fault.code, 'noNode');
  writeFileSync(join(folder, 'runtime.json'), '{"pid": "x"');
  assert.match((await waggle('status', '--data', folder)).err, /damaged/);
  const { child, folder: crashed } = await runningNode(t);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const stale = await waggle('status', '--data', crashed);
  assert.equal(stale.code, 1);
  assert.match(stale.err, /without saying goodbye.*\n.*last checkpoint/);
});

test('a wrong command line or configuration ends with 2 and says what is right', async (t) => {
  const folder = dataFolder(t);
  const cases: [string[], RegExp][] = [
    [['bogus'], /unknown command 'bogus'/],
    [['status', '--nonsense'], /unknown option/],
    [['task', 'chain_sum'], /--seed/],
    [['task', 'chain_sum', '--seed', '1.5', '--index', '0'], /whole number/],
    [['task', 'chain_sum', '--seed', '1', '--index', '-1'], /whole number from 0/],
    [['logs', '--level', 'loud'], /Allowed choices/],
    [['start', '--headless', '--data', folder, '--port', '99999'], /--port.*65535/],
    [['start', '--headless', '--config', join(folder, 'none.json')], /does not exist/],
    [['score', folder], /--prompt/],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await waggle(...args);
    assert.equal(code, 2, args.join(' '));
    assert.match(err, message);
  }
  assert.equal((await waggle('--help')).code, 0);
});

test('task prints one JSON object a line, the same every time, and judges answers', async () => {
  const args = ['task', 'chain_sum', '--seed', '42', '--index', '3', '--json'];
  const { out, code } = await waggle(...args, '--count', '3');
  assert.equal(code, 0);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { question: string; answer: string; metadata: object });
  assert.equal(lines.length, 3);
  assert.deepEqual(Object.keys(lines[0]!), ['question', 'answer', 'metadata']);
  assert.equal((await waggle(...args)).out, `${out.split('\n')[0]!}\n`);
  const right = JSON.parse((await waggle(...args, '--answer', lines[0]!.answer)).out) as { reward: number };
  assert.equal(right.reward, 1);
  const wrong = JSON.parse((await waggle(...args, '--answer', 'bees')).out) as { reward: number; reason: string };
  assert.equal(wrong.reward, 0);
  assert.ok(wrong.reason.length > 0);
  const near = JSON.parse((await waggle(...args, '--answer', `is ${lines[0]!.answer}`, '--partial')).out) as object;
  const { length } = lines[0]!.answer;
  assert.deepEqual(near, { reward: length / (length + 3), reason: 'partly right' });
  const unknown = await waggle('task', 'nope', '--seed', '1', '--index', '0');
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /chain_sum/);
  const badConfig = await waggle(...args, '--config', '{"min_terms": "many"}');
  assert.equal(badConfig.code, 1);
  assert.equal((await waggle(...args, '--config', '[1]')).code, 1);
});

test('a foreign program on the port of a crashed node is not mistaken for the node', async (t) => {
  const folder = dataFolder(t);
  const foreign = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
  await once(foreign, 'listening');
  t.after(() => foreign.close());
  const { port } = foreign.address() as AddressInfo;
  const runtime = { pid: process.pid, port, token: 'x'.repeat(32), url: 'http://127.0.0.1', startedAt: 1 };
  writeFileSync(join(folder, 'runtime.json'), JSON.stringify(runtime));
  const outcome = await waggle('status', '--data', folder);
  assert.equal(outcome.code, 1);
  assert.match(outcome.err, new RegExp(`No node answers on port ${port}`));
});

test('start.ts and headless.ts run as scripts of their own and say what is wrong', async () => {
  for (const name of ['start.ts', 'headless.ts']) {
    const entry = join(import.meta.dirname, '../../../src-main', name);
    const child = spawn(process.execPath, [entry, '--headless', '--port', '99999'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => (err += part));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 2, name);
    assert.match(err, /65535/);
  }
});
