// doctor: what the node knows, what the data folder keeps, and trying again where asked.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { showDoctor, type DoctorOptions, type DoctorReport } from '../../../src-main/cli/doctor-command.ts';
import type { HardwareReport, ProviderVerdict } from '../../../src-main/engine/api.ts';
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';
import { createFakeNode } from '../serve/fake-node.ts';

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-doctor-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function doctor(data: string, options: Omit<DoctorOptions, 'data'> = {}) {
  const printed: string[] = [];
  const said: string[] = [];
  const terminal = {
    print: (text: string) => void printed.push(text),
    complain: (text: string) => void said.push(text),
    colours: false,
  };
  await showDoctor({ data, ...options }, terminal, process.env);
  return { text: printed.join('\n'), said: said.join('\n') };
}

const verdict: ProviderVerdict = {
  provider: 'webgpu',
  device: 0,
  adapter: 'A card',
  verdict: 'unstable',
  maxRelativeError: 1e-6,
  trainStepMs: 3,
  decodeStepMs: 1,
  peakBytes: 3e8,
  detail: 'webgpu was given up.',
  testedAt: Date.UTC(2026, 0, 2, 3, 4),
};
const report: HardwareReport = {
  cpu: { model: 'Test', cores: 2, threads: 4 },
  memory: { totalBytes: 2 ** 34, freeBytes: 2 ** 33 },
  gpus: [],
  battery: { present: false, charging: null, percent: null },
  os: { platform: 'linux', release: '6', arch: 'x64' },
  unknown: [],
  trying: false,
  verdicts: [verdict],
};

test('of a running node: what it found and when; --again waits until the node has tried all', async (t) => {
  const dataDirectory = await newFolder(t);
  let polls = 0;
  let trying = false;
  const fake = createFakeNode({
    hardware: () => {
      if (trying && ++polls >= 3) trying = false;
      return { ...report, trying, verdicts: trying ? [] : [{ ...verdict, verdict: polls > 0 ? 'used' : 'unstable' }] };
    },
    tryProviders: () => {
      trying = true;
      return null;
    },
  });
  const served = await serveNode({ api: fake.api, dataDirectory, rendererDirectory: '/nowhere', port: 0 });
  t.after(() => served.close());
  const first = await doctor(dataDirectory);
  assert.match(first.text, /webgpu +unstable +3\.0 ms +1\.0 ms +1\.0e-6 +286 MB +A card: webgpu was given up\./);
  assert.match(first.text, /Tried on 2026-01-02 03:04 UTC.*waggle doctor --again/);
  const second = await doctor(dataDirectory, { again: true });
  assert.match(second.said, /Trying each provider/);
  assert.match(second.text, /webgpu +used/);
  assert.doesNotMatch(second.text, /Tried on/);
  assert.deepEqual(
    fake.calls.map(({ name }) => name).filter((name) => name !== 'status'),
    ['hardware', 'tryProviders', 'hardware', 'hardware', 'hardware'],
  );
});

test(
  'without a node: tried once, kept in the data folder, tried again where asked',
  { timeout: 200_000 },
  async (t) => {
    const folder = await newFolder(t);
    const first = await doctor(folder);
    assert.match(first.said, /Trying each provider/);
    assert.match(first.text, /cpu +correct/);
    const kept = JSON.parse(await readFile(join(folder, 'hardware.json'), 'utf8')) as {
      verdicts: { testedAt: number }[];
    };
    const startedAt = performance.now();
    const second = await doctor(folder, { json: true });
    const fromFile = JSON.parse(second.text) as DoctorReport;
    assert.equal(second.said, '');
    assert.equal(fromFile.from, 'kept');
    assert.deepEqual(
      fromFile.verdicts.map(({ testedAt }) => testedAt),
      kept.verdicts.map(({ testedAt }) => testedAt),
    );
    const keptMs = performance.now() - startedAt;
    const again = JSON.parse((await doctor(folder, { json: true, again: true })).text) as DoctorReport;
    assert.equal(again.from, 'trial');
    assert.ok(again.verdicts.every(({ testedAt }) => testedAt > Math.max(...kept.verdicts.map((row) => row.testedAt))));
    t.diagnostic(`read in ${keptMs.toFixed(0)} ms`);
  },
);

test('where there is no data folder yet, doctor makes none', async (t) => {
  const folder = join(await newFolder(t), 'not-there');
  assert.match((await doctor(folder)).text, /cpu +correct/);
  await assert.rejects(readFile(join(folder, 'hardware.json')), { code: 'ENOENT' });
});
