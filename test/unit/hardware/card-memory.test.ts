/** Which sizes of graphics memory are believed: of stand-ins for the systems' answers, and of whatever this machine has. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readCardMemory, type CardPlaces } from '../../../src-main/engine/providers/card-memory.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-drm-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const GIB = 2 ** 30;

type Controller = Awaited<ReturnType<CardPlaces['graphics']>>['controllers'][number];
const controller = (given: Partial<Controller>): Controller => ({
  vendor: 'NVIDIA Corporation',
  vram: null,
  vramDynamic: false,
  ...given,
});
const places = (platform: NodeJS.Platform, controllers: Controller[], drm = join(folder, 'none')): CardPlaces => ({
  platform,
  graphics: () => Promise.resolve({ controllers }),
  drm,
});

test("what nvidia-smi says is believed, the largest card's where there are several", async () => {
  const cards = [
    controller({ memoryTotal: 8192, memoryFree: 7000 }),
    controller({ memoryTotal: 24_576, memoryFree: 20_480 }),
  ];
  for (const platform of ['linux', 'win32'] as const)
    assert.deepEqual(await readCardMemory(places(platform, cards)), { totalBytes: 24 * GIB, freeBytes: 20 * GIB });
});

test('a size without what is free is believed on Windows only, and not of graphics that share memory', async () => {
  const own = controller({ vendor: 'Advanced Micro Devices', vram: 8192 });
  const known = await readCardMemory(places('win32', [own]));
  assert.equal(known?.totalBytes, 8 * GIB);
  assert.ok(known.freeBytes < known.totalBytes && known.freeBytes > 6 * GIB);
  assert.equal(await readCardMemory(places('linux', [own])), null, "there it is the window's size");
  assert.equal(await readCardMemory(places('darwin', [own])), null);
  assert.equal(await readCardMemory(places('win32', [{ ...own, vramDynamic: true }])), null);
  assert.equal(await readCardMemory(places('win32', [{ ...own, vendor: 'Intel Corporation' }])), null);
  assert.equal(await readCardMemory(places('win32', [{ ...own, vram: 128 }])), null, 'set aside, not all there is');
});

test("the amdgpu driver's files are read; other drivers', damaged and impossible ones are passed over", async () => {
  const card = (name: string, files: Record<string, string>): void => {
    mkdirSync(join(folder, name, 'device'), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, 'device', file), text);
  };
  card('card0', { vendor: '0x8086' });
  card('card1', { mem_info_vram_total: `${16 * GIB}\n`, mem_info_vram_used: `${2 * GIB}\n` });
  card('card2', { mem_info_vram_total: 'a lot', mem_info_vram_used: '0' });
  card('card3', { mem_info_vram_total: `${64 * GIB}`, mem_info_vram_used: `${65 * GIB}` });
  card('card1-HDMI-A-1', { mem_info_vram_total: `${99 * GIB}`, mem_info_vram_used: '0' });
  assert.deepEqual(await readCardMemory(places('linux', [], folder)), { totalBytes: 16 * GIB, freeBytes: 14 * GIB });
});

test('nothing known is null, and no failure is passed on', async () => {
  assert.equal(await readCardMemory(places('linux', [])), null);
  const failing = { ...places('win32', []), graphics: () => Promise.reject(new Error('no WMI')) };
  assert.equal(await readCardMemory(failing), null);
  for (const memoryTotal of [0, -1, Number.NaN, 1e9])
    assert.equal(await readCardMemory(places('linux', [controller({ memoryTotal, memoryFree: 0 })])), null);
  const here = await readCardMemory();
  assert.ok(here === null || (here.freeBytes >= 0 && here.freeBytes <= here.totalBytes));
});
