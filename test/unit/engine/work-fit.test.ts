/** How the work is fitted into memory before a start and after a shortage, what the status says of it, and a node in want of memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { estimateMemory } from '../../../native-models/runtime/memory-estimate.ts';
import { createLog } from '../../../src-main/base/log.ts';
import { loadConfig } from '../../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { MemoryKill } from '../../../src-main/engine/compute/memory-kill.ts';
import { WorkFit } from '../../../src-main/engine/compute/work-fit.ts';
import { fitOf, questionFor, readPolicyConfig } from '../../../src-main/models/model-fit.ts';
import { openNode } from './test-node.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-fit-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const policy = bundledPolicyDirectory();
const policyConfig = await readPolicyConfig(policy);
const GIB = 2 ** 30;

function fitting(flags: Record<string, unknown>, freeBytes: number, freeCardBytes: number | null = null) {
  const { config } = loadConfig({ flags, env: {} });
  const log = createLog({ directory: null });
  let changes = 0;
  const work = new WorkFit({
    config,
    log: log.for('compute'),
    freeBytes: () => freeBytes,
    freeCardBytes: () => Promise.resolve(freeCardBytes),
    onChange: () => changes++,
  });
  const warnings = () => log.rows({ limit: 50, level: 'warn' }).map(({ message }) => message);
  return { work, config, warnings, changes: () => changes };
}
const asked = fitOf(policyConfig, loadConfig({ flags: {}, env: {} }).config, 64 * GIB).estimate.totalBytes;

test('where there is room the work is as the settings ask, and nothing is said', async () => {
  const { work, config, warnings } = fitting({}, 64 * GIB);
  assert.deepEqual(await work.prepare(policy, 'cpu'), { recompute: false, decodedRows: null });
  assert.equal(work.config.microBatchTokens, config.microBatchTokens);
  assert.deepEqual({ ...work.config }, config, 'every other setting is as it was');
  const { text, shortages, needBytes } = work.status();
  assert.deepEqual([text, shortages, needBytes, warnings()], [null, 0, asked, []]);
});

test('where memory is short the work is made smaller, and log and status say how', async () => {
  const { work, config, warnings, changes } = fitting({}, asked);
  await work.prepare(policy, 'cpu');
  const status = work.status();
  assert.ok(work.config.microBatchTokens < config.microBatchTokens);
  assert.equal(status.passTokens, work.config.microBatchTokens);
  assert.match(status.text!, /^Memory is short: passes are of at most \d+ tokens.*takes about \d+ MB of \d+ MB$/);
  assert.deepEqual(warnings(), [status.text]);
  assert.ok(changes() > 0);
});

test('recomputation is taken where passes of a sensible size do not fit without, and only if it may be', async () => {
  const flags = { maxNewTokens: 40, microBatchTokens: 1024, groupSize: 16 };
  const needs = (free: number, recomputeActivations: string) => {
    const { work } = fitting({ ...flags, recomputeActivations }, free);
    return work.prepare(policy, 'cpu').then(() => work.status());
  };
  const sizes = [0.45, 0.55, 0.65, 0.8].map((share) => share * asked);
  const auto = await Promise.all(sizes.map((free) => needs(free, 'auto').catch(() => null)));
  const taken = auto.filter((status) => status?.recompute);
  assert.ok(taken.length > 0, 'somewhere in between it is what makes the work fit');
  assert.match(taken[0]!.text!, /layers are computed again/);
  for (const free of sizes) {
    const off = await needs(free, 'off').catch(() => null);
    assert.ok(off?.recompute !== true);
    const on = await needs(free, 'on').catch(() => null);
    assert.ok(on?.recompute !== false);
  }
});

test('too little for the smallest work: a typed error with need, free and the fix', async () => {
  const { work } = fitting({}, 100e6);
  await assert.rejects(work.prepare(policy, 'cpu'), {
    code: 'notEnoughMemory',
    message: /needs about \d+ MB .* 100 MB are free/,
    fix: /--adapter lora.*--max-new-tokens.*smaller model/,
  });
  const limited = fitting({ maxMemoryMegabytes: 90 }, 64 * GIB);
  await assert.rejects(limited.work.prepare(policy, 'cpu'), { code: 'notEnoughMemory', message: /94 MB are free/ });
  assert.deepEqual(await work.prepare(policy, 'webgpu'), { recompute: false, decodedRows: null }, 'not reckoned there');
  assert.equal(work.status().needBytes, null);
  await fitting({}, 0).work.prepare(join(folder, 'no-model'), 'cpu'); // opening it says what is wrong
});

test("on a graphics card the work is fitted into the card's memory, told so, and never refused", async () => {
  const onCard = estimateMemory({ ...questionFor(policyConfig, fitting({}, 0).config), place: 'card' }).totalBytes;
  assert.ok(onCard < asked, 'without the process');
  const roomy = fitting({}, 0, 8 * GIB);
  assert.deepEqual(await roomy.work.prepare(policy, 'webgpu'), { recompute: false, decodedRows: null });
  assert.deepEqual([roomy.work.status().text, roomy.work.status().needBytes], [null, onCard]);
  const short = fitting({}, 0, onCard);
  await short.work.prepare(policy, 'cuda');
  assert.ok(short.work.config.microBatchTokens < short.config.microBatchTokens);
  assert.match(
    short.work.status().text!,
    /^The graphics card's memory is short: passes are of at most \d+ tokens.*MB$/,
  );
  const tiny = fitting({}, 64 * GIB, 1e6);
  const { recompute, decodedRows } = await tiny.work.prepare(policy, 'webgpu');
  assert.deepEqual([recompute, decodedRows], [true, 1], 'as small as can be');
  assert.match(tiny.warnings()[0]!, /takes about \d+ MB of 1 MB; it may not fit, a smaller model would$/);
  const unknown = fitting({}, 0);
  await unknown.work.prepare(policy, 'webgpu');
  assert.equal(unknown.work.status().needBytes, null);
});

test('after shortages the work is halved for that stage, down to one row, and does not grow again', async () => {
  const { work, warnings } = fitting({ microBatchTokens: 512, recomputeActivations: 'auto' }, 64 * GIB);
  await work.prepare(policy, 'cpu');
  work.passesShrank(300, new Error('Memory ran out: Add could not get another 5.2 MB'));
  assert.equal(work.config.microBatchTokens, 300);
  assert.ok(work.ranOut('train', 'Killed'));
  assert.equal(work.config.microBatchTokens, 176, 'one row of the longest prompt and answer');
  assert.ok(work.ranOut('train', 'Killed'));
  assert.ok(work.status().recompute, 'then layers are computed again');
  assert.ok(!work.ranOut('train', 'Killed'), 'then there is nothing left to do');
  assert.ok(work.ranOut('generate', 'Killed'));
  assert.deepEqual(await work.prepare(policy, 'cpu'), { recompute: true, decodedRows: 32 });
  assert.equal(work.config.microBatchTokens, 176);
  for (let rows = 32; rows > 1; rows /= 2) assert.ok(work.ranOut('generate', 'Killed'));
  assert.ok(!work.ranOut('generate', 'Killed'));
  assert.match(work.status().text!, /^Memory ran out: passes .*, layers .*, at most 1 answers/);
  assert.equal(work.status().shortages, 11);
  assert.ok(
    warnings().some((message) => message.startsWith('Memory ran out: Add could not get another 5.2 MB. Passes')),
  );
});

test("the kernel's count tells a kill for want of memory from others; an abort is one, a hang is none", () => {
  const path = join(folder, 'vmstat');
  const count = (kills: number) => writeFileSync(path, `nr_free_pages 1\noom_kill ${kills}\n`);
  count(3);
  const kill = new MemoryKill(path);
  const killed = { code: null, signal: 'SIGKILL' };
  assert.equal(kill.explains(killed), false);
  count(4);
  assert.equal(kill.explains(killed), true);
  assert.equal(kill.explains(killed), false, 'counted once');
  assert.equal(kill.explains({ code: null, signal: 'SIGABRT' }), true);
  assert.equal(kill.explains({ code: 134, signal: null }), true);
  assert.equal(kill.explains({ code: 1, signal: null }), false);
  assert.equal(kill.explains({ ...killed, hung: { call: 'accumulate', silentMs: 9 } }), false);
  assert.equal(new MemoryKill(join(folder, 'none')).explains(killed), true, 'nobody else kills it');
});

describe('a node whose compute process runs out of memory', { skip: process.platform !== 'linux' }, () => {
  test('goes on with smaller work and says so, whether the process tells or dies of it', async () => {
    let starts = 0;
    // The first process may not have more address space than it has once its policy is open, and a little.
    const spawnCompute = () => {
      const channel = forkCompute();
      const isFirst = starts++ === 0;
      let calls = 0;
      const post = (message: unknown): void => {
        const { call } = message as { call?: string };
        if (isFirst && call === 'accumulate' && calls++ === 0) bound(channel.pid!, 60e6);
        channel.post(message);
      };
      return { ...channel, post, pid: channel.pid };
    };
    const flags = { rounds: 2, microBatchTokens: 8192, promptsPerRound: 6, groupSize: 12, maxNewTokens: 40 };
    const node = await openNode(flags, undefined, { spawnCompute });
    const status = await node.until('waiting', 'roundsDone', 120_000);
    assert.equal(status.round, 2);
    assert.ok(status.work.shortages > 0 && status.work.passTokens < 8192, JSON.stringify(status.work));
    assert.match(status.work.text!, /^Memory ran out: passes are of at most/);
    assert.ok(
      node.log.some(({ level, message }) => level === 'warn' && /Passes are of at most \d+ tokens/.test(message)),
    );
  });
});

function bound(pid: number, moreBytes: number): void {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const addressSpace = Number(/^VmSize:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  execFileSync('prlimit', ['--pid', String(pid), `--as=${addressSpace + moreBytes}:`]);
}
