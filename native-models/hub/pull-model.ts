/**
 * Brings a model folder from a hub onto this disk: list, choose, check the room, fetch, verify, move into place in one step.
 * Knows nothing of what is in the files, but lets the caller look at the small ones before the weights are fetched.
 *
 * Invariants: a folder under its final name is whole and verified; all is written below the models folder; an interrupted
 * pull goes on where it stopped.
 */
import { mkdir, rename, rm, statfs, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { downloadFile, type DownloadEvent } from './download-file.ts';
import { fileHasHash, type FileHash } from './file-hash.ts';
import { lockFolder } from './folder-lock.ts';
import { findHalfModels, halfModelFolder, writtenBytes } from './half-models.ts';
import { defaultTimeouts, HttpClient, type HttpTimeouts } from './http-client.ts';
import { asDiskError, HubError } from './hub-error.ts';
import type { HubSettings } from './hub-settings.ts';
import {
  checkModelId,
  describeFile,
  fetchListing,
  fileUrl,
  neededFiles,
  refuseFailure,
  type KnownFile,
  type ListedFile,
  type ModelAddress,
} from './model-listing.ts';
import { modelFolder, ORIGIN_FILE, readOrigin, type ModelOrigin } from './model-origin.ts';
import { ProgressMeter, type MeteredProgress } from './progress-meter.ts';
import { defaultRetry, withRetries, type RetryPolicy } from './retry.ts';

export interface PullRequest {
  id: string;
  revision?: string;
  modelsDirectory: string;
  settings: HubSettings;
  signal?: AbortSignal | undefined;
  onProgress?: (progress: PullProgress) => void;
  /** Looks at config.json and the tokenizer in `directory` before the weights; what it throws ends the pull. */
  beforeWeights?: (directory: string) => Promise<void>;
  tuning?: Partial<PullTuning>;
}
export interface PullTuning {
  connections: number;
  pieceBytes: number;
  retry: RetryPolicy;
  timeouts: HttpTimeouts;
  nowMs: () => number;
  /** Bytes this user can write at a folder. */
  freeBytes: (directory: string) => Promise<number>;
}
export type PullProgress =
  | { phase: 'listing' }
  | ({ phase: 'fetching' | 'checking'; file: string } & MeteredProgress)
  | { phase: 'waiting'; reason: string; waitMs: number }
  | { phase: 'again'; file: string };
export interface PulledModel {
  directory: string;
  origin: ModelOrigin;
  bytes: number;
  /** Nothing had to be fetched. */
  alreadyThere: boolean;
}

/** Left free beside the model: a disk filled to the brim breaks other programs. */
const SPARE_BYTES = 256 * 1024 * 1024;
const defaultTuning: PullTuning = {
  connections: 4,
  pieceBytes: 32 * 1024 * 1024,
  retry: defaultRetry,
  timeouts: defaultTimeouts,
  nowMs: () => performance.now(),
  freeBytes: async (directory) => {
    const disk = await statfs(directory);
    return disk.bavail * disk.bsize;
  },
};

/** @throws HubError; whatever `beforeWeights` throws. */
export async function pullModel(request: PullRequest): Promise<PulledModel> {
  const tuning = { ...defaultTuning, ...request.tuning };
  const { endpoint, token, env, offline } = request.settings;
  checkModelId(request.id);
  if (offline) throw forbidden(request.id);
  const client = new HttpClient({ endpoint, token, env, ...tuning });
  try {
    const address = { endpoint, id: request.id, revision: request.revision ?? 'main' };
    const { commit, files } = await listFiles(client, address, request, tuning);
    const target = modelFolder(request.modelsDirectory, request.id);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const present = await readOrigin(target);
    if (present?.commit === commit && present.id === request.id && (await hasAll(target, files)))
      return { directory: target, origin: present, bytes, alreadyThere: true };
    const staging = halfModelFolder(request.modelsDirectory, request.id, commit);
    await mkdir(staging, { recursive: true });
    const unlock = await lockFolder(staging);
    try {
      await checkRoom(staging, files, tuning);
      await fetchFiles(client, address, { commit, files, staging }, request, tuning);
      const origin = originOf(address, commit, files);
      await writeFile(join(staging, ORIGIN_FILE), `${JSON.stringify(origin, null, 2)}\n`);
      await unlock();
      await putInPlace(staging, target);
      await forgetOlder(request, commit);
      return { directory: target, origin, bytes, alreadyThere: false };
    } catch (error) {
      throw asDiskError(error, staging);
    } finally {
      await unlock();
    }
  } finally {
    client.close();
  }
}

async function listFiles(
  client: HttpClient,
  address: ModelAddress,
  { signal, onProgress }: PullRequest,
  { retry }: PullTuning,
): Promise<{ commit: string; files: KnownFile[] }> {
  onProgress?.({ phase: 'listing' });
  const attempt = {
    signal,
    onWait: (reason: HubError, waitMs: number) => onProgress?.({ phase: 'waiting', reason: reason.message, waitMs }),
  };
  const listing = await withRetries(retry, attempt, () => fetchListing(client, address, signal));
  const files: KnownFile[] = [];
  for (const file of neededFiles(listing)) {
    files.push(
      isKnown(file)
        ? file
        : await withRetries(retry, attempt, () => describeFile(client, address, listing.commit, file.path, signal)),
    );
  }
  return { commit: listing.commit, files };
}

async function fetchFiles(
  client: HttpClient,
  address: ModelAddress,
  { commit, files, staging }: { commit: string; files: readonly KnownFile[]; staging: string },
  { signal, onProgress, beforeWeights }: PullRequest,
  tuning: PullTuning,
): Promise<void> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const meter = new ProgressMeter(total, tuning.nowMs);
  let before = 0;
  let looked = false;
  for (const { path, bytes, hash } of files) {
    if (!looked && path.endsWith('.safetensors')) {
      looked = true;
      await beforeWeights?.(staging);
    }
    let fileDone = 0;
    const onEvent = (event: DownloadEvent): void => {
      if (event.kind === 'bytes') fileDone = event.doneBytes;
      if (event.kind === 'wait') onProgress?.({ phase: 'waiting', reason: event.reason.message, waitMs: event.waitMs });
      else if (event.kind === 'again') onProgress?.({ phase: 'again', file: path });
      else {
        const phase = event.kind === 'check' ? 'checking' : 'fetching';
        onProgress?.({ phase, file: path, ...meter.update(before + fileDone) });
      }
    };
    await downloadFile(
      client,
      { name: path, bytes, hash, url: fileUrl(address, commit, path) },
      {
        ...tuning,
        directory: staging,
        signal,
        onEvent,
        refuseFailure: (answer) => refuseFailure(answer, address, path),
      },
    );
    before += bytes;
  }
}

async function checkRoom(staging: string, files: readonly KnownFile[], { freeBytes }: PullTuning): Promise<void> {
  const sizes = await Promise.all(
    files.map(async ({ path, bytes }) => {
      const [whole, half] = await Promise.all([writtenBytes(join(staging, path)), writtenBytes(join(staging, `${path}.partial`))]); // prettier-ignore
      return Math.max(0, bytes - whole - half);
    }),
  );
  const needed = sizes.reduce((sum, bytes) => sum + bytes, 0);
  const free = await freeBytes(staging);
  if (needed === 0 || free >= needed + SPARE_BYTES) return;
  throw new HubError('diskFull', {
    message: `${megabytes(needed)} are still to fetch, ${staging} has room for ${megabytes(Math.max(0, free - SPARE_BYTES))}.`,
    fix: 'Free some space, or choose a folder on another disk with --models.',
  });
}

function originOf({ id, endpoint, revision }: ModelAddress, commit: string, files: readonly KnownFile[]): ModelOrigin {
  const listed = files.map(({ path, bytes, hash }): { path: string; bytes: number; hash: FileHash } => ({ path, bytes, hash })); // prettier-ignore
  return { id, revision, commit, endpoint: endpoint.origin, files: listed };
}

/** Whether what was fetched once still has its lengths and its small files' hashes; weights are not read again. */
async function hasAll(directory: string, files: readonly KnownFile[]): Promise<boolean> {
  for (const { path, bytes, hash } of files) {
    const size = await stat(join(directory, path)).then(({ size }) => size, () => -1); // prettier-ignore
    if (size !== bytes) return false;
    if (!path.endsWith('.safetensors') && !(await fileHasHash(join(directory, path), bytes, hash))) return false;
  }
  return true;
}

/** A folder of that name makes way first: a rename replaces no folder that has files. */
async function putInPlace(staging: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const former = `${staging}.former`;
  await rm(former, { recursive: true, force: true });
  await rename(target, former).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
  });
  await rename(staging, target);
  await rm(former, { recursive: true, force: true });
}

/** Half models of other commits of this model will not be asked for again. */
async function forgetOlder({ modelsDirectory, id }: PullRequest, commit: string): Promise<void> {
  for (const half of await findHalfModels(modelsDirectory, id))
    if (half.commit !== commit) await rm(half.directory, { recursive: true, force: true });
}

function isKnown(file: ListedFile): file is KnownFile {
  return file.bytes !== null && file.hash !== null;
}

function forbidden(id: string): HubError {
  return new HubError('hubOffline', {
    message: `HF_HUB_OFFLINE forbids asking the network for ${id}.`,
    fix: 'Clear HF_HUB_OFFLINE to fetch models, or use a model folder that is on this disk.',
  });
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
