/**
 * Models on their way onto this disk: a queue that is worked off two at a time, survives restarts, and says how far each is and what
 * went wrong. Knows nothing of how a model is fetched beyond `fetchModel`, nor of who looks.
 *
 * Invariants: what is wanted is on disk (`downloads.json`) before it begins, so a restart goes on with it; a cancelled download keeps
 * what has arrived, and goes on from there when it is started again.
 */
import { z } from 'zod';
import { HubError } from '../../native-models/hub/hub-error.ts';
import { hubSettings } from '../../native-models/hub/hub-settings.ts';
import { checkModelId, isModelId } from '../../native-models/hub/model-listing.ts';
import type { PullProgress, PullTuning } from '../../native-models/hub/pull-model.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { asFault, WaggleError } from '../base/errors.ts';
import { readKeptJson } from '../base/kept-json.ts';
import type { Logger } from '../base/log.ts';
import type { Config } from '../config.ts';
import type { ModelDownload } from '../engine/api.ts';
import { fetchModel } from './fetch-model.ts';
import { modelPlaces } from './list-models.ts';

export interface DownloadsOptions {
  settings: Config;
  /** Where what is wanted is kept. */
  path: string;
  env: NodeJS.ProcessEnv;
  log: Logger;
  /** Something moved; called at most every so often for one that only advances. */
  onChange: () => void;
  /** A model is on this disk now. */
  onArrived: (id: string) => void;
  /** For tests. */
  tuning?: Partial<PullTuning>;
}

interface Download {
  row: ModelDownload;
  abort: AbortController;
  /** Settles when it no longer runs; null while it waits or has ended. */
  running: Promise<void> | null;
}

const AT_ONCE = 2;
const MOST = 32;
const SAY_EVERY_MS = 250;
const wantedFile = z.object({ version: z.literal(1), ids: z.array(z.string().max(200)).max(MOST) });

export class ModelDownloads {
  private readonly options: DownloadsOptions;
  private readonly downloads = new Map<string, Download>();
  private writing: Promise<void> = Promise.resolve();
  private saidAtMs = -Infinity;
  private closed = false;

  constructor(options: DownloadsOptions) {
    this.options = options;
  }

  /** Goes on with what was wanted when the node ended. A damaged list is an empty one. */
  async resume(): Promise<void> {
    const { path, log } = this.options;
    const kept = await readKeptJson(path, wantedFile).catch(() => null);
    const ids = [...new Set(kept?.ids.filter(isModelId))];
    for (const id of ids) this.enqueue(id);
    if (ids.length > 0) log.info(`Going on with the download of ${ids.join(', ')}`);
    this.pump();
  }

  /** In the order they were asked for. */
  rows(): ModelDownload[] {
    return [...this.downloads.values()].map(({ row }) => ({ ...row }));
  }

  isOnItsWay(id: string): boolean {
    const stage = this.downloads.get(id)?.row.stage;
    return stage !== undefined && stage !== 'done' && stage !== 'failed';
  }

  /** Again after a failure; nothing happens where it is on its way. @throws HubError for an id that is none, WaggleError, DiskFullError */
  async start(id: string): Promise<void> {
    checkModelId(id);
    if (this.isOnItsWay(id)) return;
    this.downloads.delete(id);
    if (this.downloads.size >= MOST) throw tooMany();
    this.enqueue(id);
    await this.writeWanted();
    this.pump();
    this.options.onChange();
  }

  /** What has arrived is kept. A row that has ended is taken off the list. */
  async cancel(id: string): Promise<void> {
    const download = this.downloads.get(id);
    if (!download) return;
    this.downloads.delete(id);
    download.abort.abort();
    await download.running;
    await this.writeWanted();
    this.pump();
    this.options.onChange();
  }

  /** Ends all; they go on at the next start. */
  async close(): Promise<void> {
    this.closed = true;
    const all = [...this.downloads.values()];
    for (const { abort } of all) abort.abort();
    await Promise.all(all.map(({ running }) => running ?? Promise.resolve()));
    await this.writing;
  }

  private enqueue(id: string): void {
    const row: ModelDownload = {
      id,
      stage: 'waiting',
      doneBytes: 0,
      totalBytes: null,
      bytesPerSecond: null,
      remainingMs: null,
      detail: 'Waits for those before it',
      fault: null,
    };
    this.downloads.set(id, { row, abort: new AbortController(), running: null });
  }

  private pump(): void {
    if (this.closed) return;
    const all = [...this.downloads.values()];
    let free = AT_ONCE - all.filter(({ running }) => running !== null).length;
    for (const download of all) {
      if (free <= 0) return;
      if (download.row.stage !== 'waiting' || download.running) continue;
      free--;
      download.running = this.fetch(download).finally(() => {
        download.running = null;
        this.pump();
      });
    }
  }

  /** Never rejects. */
  private async fetch(download: Download): Promise<void> {
    const { row, abort } = download;
    const { settings, env, log, tuning, onArrived } = this.options;
    Object.assign(row, { stage: 'checkingSpace', detail: 'Asks the hub what the model consists of' });
    this.options.onChange();
    try {
      await fetchModel({
        id: row.id,
        places: await modelPlaces(settings.dataDirectory, env),
        hub: await hubSettings(env),
        settings,
        signal: abort.signal,
        onProgress: (progress) => this.advance(row, progress),
        ...(tuning ? { tuning } : {}),
      });
      Object.assign(row, { stage: 'done', detail: 'Every file is verified', remainingMs: 0, bytesPerSecond: null });
      log.info(`The model ${row.id} is on this disk now`);
      onArrived(row.id);
    } catch (error) {
      if (abort.signal.aborted) return;
      const fault = forPeople(error);
      Object.assign(row, { stage: 'failed', detail: fault.message, fault, bytesPerSecond: null, remainingMs: null });
      log.warn(`The model ${row.id} could not be fetched: ${fault.message} (${fault.code})`);
    }
    if (this.closed) return;
    await this.writeWanted().catch((error: unknown) => log.error('The list of downloads could not be written', error));
    this.options.onChange();
  }

  private advance(row: ModelDownload, progress: PullProgress): void {
    const before = row.stage;
    if (progress.phase === 'fetching' || progress.phase === 'checking') {
      const { doneBytes, totalBytes, bytesPerSecond, remainingMs, file } = progress;
      const stage = progress.phase === 'fetching' ? 'fetching' : 'verifying';
      Object.assign(row, { stage, doneBytes, totalBytes, bytesPerSecond, remainingMs, detail: file });
    } else if (progress.phase === 'waiting') {
      const detail = `${progress.reason} Tries again in ${Math.ceil(progress.waitMs / 1000)} s`;
      Object.assign(row, { stage: 'retrying', detail, bytesPerSecond: null, remainingMs: null });
    } else if (progress.phase === 'again') row.detail = `${progress.file} was damaged and is fetched again`;
    const nowMs = performance.now();
    if (row.stage === before && nowMs - this.saidAtMs < SAY_EVERY_MS) return;
    this.saidAtMs = nowMs;
    this.options.onChange();
  }

  /** What is not done and has not failed for good. One after the other. */
  private writeWanted(): Promise<void> {
    const written = this.writing.then(() => {
      const ids = [...this.downloads.keys()].filter((id) => this.isOnItsWay(id));
      return writeFileAtomic(this.options.path, `${JSON.stringify({ version: 1, ids })}\n`);
    });
    this.writing = written.catch(() => undefined);
    return written;
  }
}

/** The fixes of a hub's errors are written for a command line; those that name one are said otherwise here. */
function forPeople(error: unknown): { code: string; message: string; fix: string } {
  const fault = asFault(error);
  if (!(error instanceof HubError) || error.code !== 'diskFull') return fault;
  return { ...fault, fix: 'Free some space on that disk, then try again: it goes on from what has arrived.' };
}

function tooMany(): WaggleError {
  return new WaggleError({
    code: 'tooManyDownloads',
    message: `${MOST} models are on the list already, which is the most.`,
    fix: 'Wait for some to arrive, or take some off the list.',
  });
}
