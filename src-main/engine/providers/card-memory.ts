/**
 * How much memory the graphics card has and how much of it is free, from those that know: nvidia-smi (through systeminformation), the
 * amdgpu driver's files on Linux, and on Windows the size of a card with memory of its own. Elsewhere null: what systems say of
 * cards that share the machine's memory, or of the window a card's memory is seen through, is not its size. Never rejects.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import systeminformation from 'systeminformation';
import { isCardSize, withTimeLimit } from './hardware.ts';

export interface CardMemory {
  totalBytes: number;
  freeBytes: number;
}

/** What is asked, so that tests can stand in for it. */
export interface CardPlaces {
  platform: NodeJS.Platform;
  graphics: () => Promise<{
    controllers: {
      vendor: string;
      vram: number | null;
      vramDynamic: boolean;
      memoryTotal?: number;
      memoryFree?: number;
    }[];
  }>;
  /** Where Linux keeps its graphics cards. */
  drm: string;
}

const here: CardPlaces = {
  platform: process.platform,
  graphics: () => systeminformation.graphics(),
  drm: '/sys/class/drm',
};

const MEBIBYTE = 1024 * 1024;
/** Of a card that does not say what is free: what desktop and browser leave, as a rule. */
const USUALLY_FREE = 0.85;
/** Less is the part of the machine's memory that is set aside for a processor's own graphics. */
const LEAST_BYTES = 1024 * MEBIBYTE;
const TIME_LIMIT_MS = 8_000;

/** Of the largest card; null where nothing reliable is known. */
export async function readCardMemory(places: CardPlaces = here): Promise<CardMemory | null> {
  const known = await Promise.all([ofControllers(places).catch(() => []), ofAmdgpu(places).catch(() => [])]);
  const cards = known.flat().filter(({ totalBytes }) => totalBytes >= LEAST_BYTES);
  return cards.sort((a, b) => b.totalBytes - a.totalBytes)[0] ?? null;
}

async function ofControllers({ graphics, platform }: CardPlaces): Promise<CardMemory[]> {
  const { controllers } = await withTimeLimit(graphics, TIME_LIMIT_MS);
  return controllers.flatMap(({ vendor, vram, vramDynamic, memoryTotal, memoryFree }) => {
    if (isCardSize(memoryTotal) && memoryFree !== undefined && memoryFree >= 0 && memoryFree <= memoryTotal)
      return [{ totalBytes: memoryTotal * MEBIBYTE, freeBytes: memoryFree * MEBIBYTE }];
    if (platform !== 'win32' || vramDynamic || /intel/i.test(vendor) || !isCardSize(vram)) return [];
    return [{ totalBytes: vram * MEBIBYTE, freeBytes: Math.floor(USUALLY_FREE * vram * MEBIBYTE) }];
  });
}

async function ofAmdgpu({ drm, platform }: CardPlaces): Promise<CardMemory[]> {
  if (platform !== 'linux') return [];
  const cards = (await readdir(drm)).filter((name) => /^card\d+$/.test(name));
  const found = await Promise.all(
    cards.map(async (card) => {
      const bytesOf = async (file: string): Promise<number> => {
        const text = await readFile(join(drm, card, 'device', file), 'utf8');
        return /^\d+\s*$/.test(text) ? Number(text) : Number.NaN;
      };
      try {
        const [total, used] = await Promise.all([bytesOf('mem_info_vram_total'), bytesOf('mem_info_vram_used')]);
        return total > 0 && used >= 0 && used <= total ? [{ totalBytes: total, freeBytes: total - used }] : [];
      } catch {
        return []; // another driver's card
      }
    }),
  );
  return found.flat();
}
