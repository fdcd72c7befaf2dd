import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { addConfigOptions, toArguments } from '../../../src-main/cli/config-options.ts';
import { fetchElectron, findElectron, whyNoDisplay } from '../../../src-main/cli/desktop.ts';
import { renderDoctor } from '../../../src-main/cli/doctor-command.ts';
import { renderScore } from '../../../src-main/cli/score-command.ts';
import { renderPrecision, renderStatus } from '../../../src-main/cli/status-view.ts';
import { formatBytes, formatCount, formatDuration } from '../../../src-main/cli/quantities.ts';
import type { ProviderVerdict } from '../../../src-main/engine/api.ts';
import { configFields, loadConfig } from '../../../src-main/config.ts';
import { exampleStatus } from '../serve/fake-node.ts';

test('every setting is an option of start, and given options survive the way to a child process', () => {
  const parse = (args: string[]) => addConfigOptions(new Command()).exitOverride().parse(args, { from: 'user' }).opts();
  const help = addConfigOptions(new Command()).helpInformation();
  for (const { flag } of configFields) assert.ok(help.includes(`--${flag}`), flag);
  const args = [
    '--port',
    '0',
    '--bootstrap',
    '127.0.0.1:1,127.0.0.1:2',
    '--no-swarm-enabled',
    '--top-p',
    '0.5',
    '--display-name=-x',
  ];
  const { config } = loadConfig({ flags: parse(args) });
  assert.deepEqual(
    [config.port, config.bootstrap.length, config.swarmEnabled, config.topP, config.displayName],
    [0, 2, false, 0.5, '-x'],
  );
  assert.deepEqual(loadConfig({ flags: parse(toArguments(parse(args))) }).config, config);
});

test('no window without a display or as root on Linux', () => {
  assert.match(whyNoDisplay({ platform: 'linux', env: {}, userId: 1000 }) ?? '', /no display/);
  assert.match(whyNoDisplay({ platform: 'linux', env: { DISPLAY: '' }, userId: 1000 }) ?? '', /no display/);
  assert.match(whyNoDisplay({ platform: 'linux', env: { DISPLAY: ':0' }, userId: 0 }) ?? '', /root/);
  assert.equal(whyNoDisplay({ platform: 'linux', env: { WAYLAND_DISPLAY: 'wayland-0' }, userId: 1000 }), null);
  assert.equal(whyNoDisplay({ platform: 'win32', env: {}, userId: null }), null);
});

test("fetching Electron's program: success, failure and a hang each end with a word on it", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-electron-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const installer = (source: string) => writeFileSync(join(folder, 'install.js'), source);
  assert.match(((await fetchElectron(1000, folder)) as { reason: string }).reason, /not installed/);
  installer("console.error('RequestError: getaddrinfo ENOTFOUND'); process.exit(1)");
  assert.match(((await fetchElectron(60_000, folder)) as { reason: string }).reason, /ENOTFOUND/);
  installer('setInterval(() => {}, 1000)');
  assert.match(((await fetchElectron(300, folder)) as { reason: string }).reason, /within 0.3 s/);
  mkdirSync(join(folder, 'dist'));
  installer(
    "const fs = require('fs'); fs.writeFileSync(__dirname + '/dist/electron', ''); fs.writeFileSync(__dirname + '/path.txt', 'electron')",
  );
  assert.deepEqual(await fetchElectron(60_000, folder), { ok: true, program: join(folder, 'dist', 'electron') });
  assert.equal(findElectron(folder, {}), join(folder, 'dist', 'electron'));
});

/** A process that ends by `untilEnd`; prints what happens to it. */
function lifetime(close: string, { ended = 'new Promise(() => {})', deadlineMs = 1500 } = {}) {
  const module = join(import.meta.dirname, '../../../src-main/cli/shutdown.ts');
  const source = `
    import { untilEnd } from ${JSON.stringify(module)};
    const alive = setInterval(() => {}, 1000);
    const end = untilEnd({ ended: ${ended}, close: ${close}, say: (text) => console.log(text), deadlineMs: ${deadlineMs} });
    console.log('up');
    process.exitCode = await end;
    clearInterval(alive);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  const parts = child.stdout.setEncoding('utf8').on('data', (part: string) => (out += part));
  const says = (words: string) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (out.includes(words)) resolve();
      };
      parts.on('data', look);
      look();
    });
  const up = says('up');
  const closed = new Promise<{ code: number | null; out: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out })),
  );
  return { child, up, says, closed };
}

test('a signal closes in order; its echo from npm is no second signal', async () => {
  const { child, up, closed } = lifetime(
    "async () => { await new Promise((r) => setTimeout(r, 300)); console.log('closed') }",
  );
  await up;
  child.kill('SIGINT');
  setTimeout(() => child.kill('SIGINT'), 50);
  const { code, out } = await closed;
  assert.equal(code, 0);
  assert.match(out, /closed/);
});

test('a second signal ends at once, and a close that hangs ends at the deadline', async () => {
  const twice = lifetime('() => new Promise(() => {})', { deadlineMs: 60_000 });
  await twice.up;
  twice.child.kill('SIGTERM');
  await twice.says('Saving and closing');
  setTimeout(() => twice.child.kill('SIGTERM'), 900);
  assert.equal((await twice.closed).code, 130);
  const hanging = lifetime('() => new Promise(() => {})');
  await hanging.up;
  hanging.child.kill('SIGTERM');
  const { code, out } = await hanging.closed;
  assert.equal(code, 1);
  assert.match(out, /could not close within 1.5 s/);
});

test('an error that nobody caught is said, closes in order, and ends with 1', async () => {
  const failing = "(setTimeout(() => { throw new Error('bees') }, 50), new Promise(() => {}))";
  const { code, out } = await lifetime("async () => console.log('closed')", { ended: failing }).closed;
  assert.equal(code, 1);
  assert.match(out, /bees[^]*closed/);
});

test('doctor says what each provider did, and what to do where none computes correctly', () => {
  const row = {
    provider: 'webgpu',
    device: 1,
    adapter: 'A card\u001b[31m',
    verdict: 'wrong',
    maxRelativeError: 0.25,
    trainStepMs: 12.4,
    decodeStepMs: null,
    peakBytes: 330_000_000,
    detail: 'Wrong gradients.',
    testedAt: 1,
  } as const;
  const machine = {
    cpu: { model: 'Test', cores: 2, threads: 4 },
    memory: { totalBytes: 2 ** 34, freeBytes: 2 ** 33 },
    gpus: [],
    battery: { present: false, charging: null, percent: null },
    os: { platform: 'linux', release: '6', arch: 'x64' },
    unknown: [],
    trying: false,
  };
  const render = (verdicts: ProviderVerdict[]) =>
    renderDoctor(terminal, { from: 'trial', verdicts, hardware: { ...machine, verdicts } });
  const terminal = { print: () => undefined, complain: () => undefined, colours: false };
  assert.match(
    render([row]),
    /webgpu #1 +wrong +12 ms +- +2\.5e-1 +315 MB +A card: Wrong gradients\.\n\nNo provider computes/,
  );
  const cpu: ProviderVerdict = {
    ...row,
    provider: 'cpu',
    device: 0,
    adapter: null,
    verdict: 'correct',
    maxRelativeError: 0,
  };
  assert.match(render([cpu, row]), /cpu +correct +12 ms +- +- +315 MB +Wrong/);
  assert.doesNotMatch(render([cpu, row]), /No provider computes/);
});

test('doctor, status and score say what is computed in, and why', () => {
  const terminal = { print: () => undefined, complain: () => undefined, colours: false };
  const policy = {
    decode: { precision: 'int8', reason: 'The settings\u001b[31m ask for it.' },
    training: { precision: 'f32', reason: 'The weights are stored in it.' },
  } as const;
  assert.deepEqual(renderPrecision(policy), [
    ['answers in', 'int8. The settings ask for it.'],
    ['trains in', 'f32. The weights are stored in it.'],
  ]);
  assert.deepEqual(renderPrecision(null), []);
  const status = exampleStatus();
  const text = renderStatus(terminal, { ...status, policy: { ...status.policy!, ...policy } }, null);
  assert.match(text, /answers in +int8\. The settings ask for it\.\n *trains in +f32\. The weights/);
  const score = { promptTokenIds: [1], tokenIds: [2], logprobs: [-0.5], computedIn: 'f32', storedAs: 'bfloat16' };
  assert.match(
    renderScore(terminal, score, false),
    /computed in f32, as training does; the weights are stored in bfloat16$/,
  );
  assert.deepEqual(JSON.parse(renderScore(terminal, score, true)), { ...score, sum: -0.5 });
});

test('status says when the work was made smaller for want of memory, and is silent otherwise', () => {
  const terminal = { print: () => undefined, complain: () => undefined, colours: false };
  const status = exampleStatus();
  assert.doesNotMatch(renderStatus(terminal, status, null), /^ *work /m);
  const text = 'Memory is short: passes are of at most 512 tokens';
  assert.match(
    renderStatus(terminal, { ...status, work: { ...status.work, text } }, null),
    /^ *work +Memory is short: passes are/m,
  );
});

test('quantities read as people write them', () => {
  assert.deepEqual([0, 59_400, 61_000, 3_725_000, 200 * 3_600_000].map(formatDuration), [
    '0 s',
    '59 s',
    '1 min 1 s',
    '1 h 2 min',
    '8 d 8 h',
  ]);
  assert.deepEqual([0, 999, 1024, 120 * 2 ** 20, 1.5 * 2 ** 30].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 KB',
    '120 MB',
    '1.5 GB',
  ]);
  assert.deepEqual([7, 1234, 3_100_000].map(formatCount), ['7', '1 234', '3 100 000']);
});
