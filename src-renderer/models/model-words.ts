/** What is said of a model and of a download, in words and tones. Pure. */
import type { ModelDownload, ModelRow } from '../../src-main/engine/api.ts';
import { formatBytes, formatCount, formatDuration, formatMemory } from '../ui/format.ts';
import type { Tone } from '../ui/tone.ts';

type Verdict = NonNullable<ModelRow['fit']>['verdict'];

export const fitLooks: Record<Verdict, { label: string; tone: Tone; then: string }> = {
  fits: { label: 'Fits', tone: 'good', then: '' },
  tight: { label: 'Tight', tone: 'honey', then: ' Other programs would have to make do with what is left.' },
  tooLarge: {
    label: 'Too large',
    tone: 'bad',
    then: ' Shorter answers, smaller groups or other programs closed would help.',
  },
};

/** One sentence on memory. */
export function describeFit({ verdict, needBytes, availableBytes, adapter }: NonNullable<ModelRow['fit']>): string {
  const what = adapter ? 'an adapter' : 'all weights';
  const need = `Training ${what} needs about ${formatMemory(needBytes)} of memory; ${formatMemory(availableBytes)} are free now.`;
  return need + fitLooks[verdict].then;
}

const families: Readonly<Record<string, string>> = { llama: 'Llama', qwen2: 'Qwen2', qwen3: 'Qwen3' };

/** "Llama · 134.5M weights · context 8,192 tokens · 269 MB to download". */
export function describeModel(row: ModelRow): string {
  const { family, parameters, contextTokens, downloadBytes, diskBytes, directory } = row;
  return [
    family === null ? null : (families[family] ?? family),
    parameters === null ? null : `${formatCount(parameters)} weights`,
    contextTokens === null ? null : `context ${formatCount(contextTokens)} tokens`,
    directory === null
      ? downloadBytes === null
        ? null
        : `about ${formatBytes(downloadBytes)} to download`
      : diskBytes === null
        ? null
        : `${formatBytes(diskBytes)} on this disk`,
  ]
    .filter((part) => part !== null)
    .join(' · ');
}

export const sourceLabels: Record<ModelRow['source'], string | null> = {
  hub: null,
  models: 'Downloaded',
  cache: 'Found in the Hugging Face cache',
  folder: 'Own folder',
  bundled: 'Ships with Waggle',
};

/** What can be asked for of a model. */
export type Wish = 'download' | 'use' | 'delete' | 'forget';

export interface Tier {
  title: string;
  rows: ModelRow[];
}

const tierGigabytes = [2, 4, 8, 16] as const;

/** By the memory that training needs, smallest first; what cannot be used goes last. Empty tiers are left out. */
export function tiersOf(rows: readonly ModelRow[]): Tier[] {
  const titles = [...tierGigabytes.map((size) => `Up to ${size} GB of memory`), 'More than 16 GB of memory'];
  const tiers: Tier[] = [...titles, 'Not to be used'].map((title) => ({ title, rows: [] }));
  for (const row of rows) {
    const size = row.problem !== null || row.fit === null ? null : row.fit.needBytes / 1024 ** 3;
    const place = size === null ? tiers.length - 1 : tierGigabytes.findIndex((limit) => size <= limit);
    tiers[place < 0 ? tiers.length - 2 : place]!.rows.push(row);
  }
  return tiers
    .map((tier) => ({
      ...tier,
      rows: tier.rows.toSorted((a, b) => (a.fit?.needBytes ?? 0) - (b.fit?.needBytes ?? 0)),
    }))
    .filter((tier) => tier.rows.length > 0);
}

export const stageLabels: Record<ModelDownload['stage'], string> = {
  waiting: 'Waits its turn',
  checkingSpace: 'Asking the hub, checking the space',
  fetching: 'Fetching',
  verifying: 'Verifying',
  retrying: 'Trying again soon',
  done: 'Is here, verified',
  failed: 'Failed',
};

/** "120 MB of 270 MB · 4.2 MB/s · 35 s left". */
export function describeProgress({ doneBytes, totalBytes, bytesPerSecond, remainingMs, stage }: ModelDownload): string {
  if (totalBytes === null || stage === 'failed') return '';
  return [
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    bytesPerSecond === null ? null : `${formatBytes(bytesPerSecond)}/s`,
    remainingMs === null || remainingMs === 0 ? null : `${formatDuration(remainingMs)} left`,
  ]
    .filter((part) => part !== null)
    .join(' · ');
}

export const isMoving = ({ stage }: ModelDownload): boolean => stage !== 'done' && stage !== 'failed';
