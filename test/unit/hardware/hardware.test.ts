import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus, totalmem } from 'node:os';
import { test } from 'node:test';
import { readHardware, residentBytes, type HardwareQueries } from '../../../src-main/engine/providers/hardware.ts';

const known: HardwareQueries = {
  cpu: () => Promise.resolve({ manufacturer: 'Maker', brand: 'Fast 1', physicalCores: 4, cores: 8 }),
  mem: () => Promise.resolve({ total: 1000, available: 400 }),
  graphics: () =>
    Promise.resolve({
      controllers: [
        { vendor: 'NVIDIA', model: 'RTX\u202E 1', vram: 1, memoryTotal: 8192, driverVersion: '555.1' },
        { vendor: '', model: '', vram: 0 },
      ],
    }),
  battery: () => Promise.resolve({ hasBattery: true, isCharging: false, percent: 140 }),
};

test('this machine really is read', { timeout: 60_000 }, async () => {
  const report = await readHardware({ timeLimitMs: 20_000 });
  assert.ok(report.cpu.threads >= 1 && report.cpu.cores >= 1 && report.cpu.model.length > 0);
  assert.ok(Math.abs(report.memory.totalBytes - totalmem()) < totalmem() * 0.05);
  assert.ok(report.memory.freeBytes > 0 && report.memory.freeBytes <= report.memory.totalBytes);
  assert.equal(report.os.platform, process.platform);
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
});

test('what the queries say is carried over, made safe; what a driver did not say is unknown', async () => {
  const report = await readHardware({ queries: known });
  assert.deepEqual(report.cpu, { model: 'Maker Fast 1', cores: 4, threads: 8 });
  assert.deepEqual(report.gpus, [
    { name: 'RTX 1', vendor: 'NVIDIA', vramBytes: 8192 * 1024 * 1024, driver: '555.1' },
    { name: 'unnamed graphics card', vendor: '', vramBytes: null, driver: null },
  ]);
  assert.deepEqual(report.battery, { present: true, charging: false, percent: 100 });
  assert.deepEqual(report.unknown, ['memory of unnamed graphics card']);
});

test('queries that hang, throw or reject cost their time limit at most and are told', async () => {
  const started = performance.now();
  const report = await readHardware({
    timeLimitMs: 100,
    queries: {
      cpu: () => new Promise(() => undefined),
      mem: () => Promise.reject(new Error('no /proc')),
      graphics: () => {
        throw new Error('lspci\u0000 missing');
      },
      battery: () => new Promise(() => undefined),
    },
  });
  assert.ok(performance.now() - started < 5000);
  assert.equal(report.cpu.threads, Math.max(1, cpus().length));
  assert.equal(report.memory.totalBytes, totalmem());
  assert.deepEqual(report.gpus, []);
  assert.deepEqual(report.unknown.toSorted(), [
    'battery: no answer within 100 ms',
    'graphics cards: lspci\uFFFD missing',
    'memory: no /proc',
    'processor: no answer within 100 ms',
  ]);
});

test('memory of this process and of a child; a process that is gone is left out', { timeout: 30_000 }, async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    const bytes = await residentBytes([process.pid, child.pid!, 0, -1]);
    assert.deepEqual([...bytes.keys()].toSorted(), [process.pid, child.pid!].toSorted());
    for (const size of bytes.values()) assert.ok(size > 5e6 && size < 4e9, `${size}`);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  assert.equal((await residentBytes([child.pid!])).size, 0);
});
