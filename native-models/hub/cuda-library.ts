/**
 * ONNX Runtime's CUDA provider, which its npm package leaves out: found in a NuGet registry by the version in use, fetched
 * resumably, checked against the registry's sha512, unpacked, and put beside the runtime's own library, where it is looked for.
 * Source: onnxruntime-node 1.30 (script/install-metadata.js), NuGet server API v3. CUDA 12 and cuDNN 9 themselves are the
 * system's; the provider trial says whether it all works. Knows nothing of sessions.
 */
import { createHash } from 'node:crypto';
import { access, constants, mkdir, rename, rm, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { downloadFile, type DownloadEvent } from './download-file.ts';
import type { FileHash } from './file-hash.ts';
import { lockFolder } from './folder-lock.ts';
import { defaultTimeouts, HttpClient, type HttpAnswer } from './http-client.ts';
import { asDiskError, HubError, shownUrl } from './hub-error.ts';
import { ProgressMeter, type MeteredProgress } from './progress-meter.ts';
import { defaultRetry, retryAfterMs, withRetries, type RetryPolicy } from './retry.ts';

export interface CudaRequest {
  /** Of onnxruntime-node: library and provider must be of one build. */
  version: string;
  /** Folder of the runtime's own library. */
  libraryDirectory: string;
  /** For the package while it arrives; must be writable. */
  workDirectory: string;
  /** Service index of a NuGet registry. */
  index?: URL;
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  onProgress?: (progress: CudaProgress) => void;
  retry?: RetryPolicy;
}
export type CudaProgress =
  | ({ phase: 'fetching' | 'checking' } & MeteredProgress)
  | { phase: 'unpacking' }
  | { phase: 'waiting'; reason: string; waitMs: number };

interface Package {
  url: URL;
  bytes: number;
  hash: FileHash;
}

const INDEX = new URL('https://api.nuget.org/v3/index.json');
const PACKAGE = 'microsoft.ml.onnxruntime.gpu.linux';
const IN_PACKAGE = 'runtimes/linux-x64/native/';
/** The provider last: when it is there, all is. */
export const CUDA_FILES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'] as const;
const MAX_JSON_BYTES = 16 * 1024 * 1024;
const MAX_FILE_BYTES = 4e9;

/** Whether this platform's provider is fetched at all; elsewhere it is bundled or there is none. */
export function cudaIsFetched(platform: string, arch: string): boolean {
  return platform === 'linux' && arch === 'x64';
}

export async function hasCudaLibrary(libraryDirectory: string): Promise<boolean> {
  const found = await Promise.all(
    CUDA_FILES.map((name) => access(join(libraryDirectory, name)).then(() => true, () => false)), // prettier-ignore
  );
  return found.every(Boolean);
}

/** @returns the files that were put in place. @throws HubError */
export async function fetchCudaLibrary(request: CudaRequest): Promise<string[]> {
  const { libraryDirectory, env, signal } = request;
  if (!/^\d{1,4}\.\d{1,4}\.\d{1,4}$/.test(request.version)) throw noVersion(request.version);
  await access(libraryDirectory, constants.W_OK).catch((cause: unknown) => {
    throw notWritable(libraryDirectory, cause);
  });
  const index = request.index ?? INDEX;
  const client = new HttpClient({ endpoint: index, token: null, env, connections: 4, timeouts: defaultTimeouts });
  const work = join(resolve(request.workDirectory), `cuda-${request.version}`);
  await mkdir(work, { recursive: true });
  const unlock = await lockFolder(work);
  try {
    const found = await findPackage(client, index, request);
    await checkRoom(work, found.bytes);
    const archive = await fetchPackage(client, found, work, request);
    request.onProgress?.({ phase: 'unpacking' });
    const { extractEntry } = await import('./zip-entry.ts');
    for (const name of CUDA_FILES) await extractEntry(archive, IN_PACKAGE + name, join(libraryDirectory, `.${name}.new`), MAX_FILE_BYTES); // prettier-ignore
    if (signal?.aborted) throw new HubError('cancelled', { message: 'The download was cancelled.', fix: 'Run it again: it goes on.' }); // prettier-ignore
    const placed = CUDA_FILES.map((name) => join(libraryDirectory, name));
    for (const [i, name] of CUDA_FILES.entries()) await rename(join(libraryDirectory, `.${name}.new`), placed[i]!);
    await rm(work, { recursive: true, force: true });
    return placed;
  } catch (error) {
    for (const name of CUDA_FILES) await rm(join(libraryDirectory, `.${name}.new`), { force: true });
    throw asDiskError(error, libraryDirectory);
  } finally {
    client.close();
    await unlock();
  }
}

async function fetchPackage(client: HttpClient, found: Package, work: string, request: CudaRequest): Promise<string> {
  const meter = new ProgressMeter(found.bytes, () => performance.now());
  let done = 0;
  const onEvent = (event: DownloadEvent): void => {
    if (event.kind === 'bytes') done = event.doneBytes;
    if (event.kind === 'wait')
      request.onProgress?.({ phase: 'waiting', reason: event.reason.message, waitMs: event.waitMs });
    else request.onProgress?.({ phase: event.kind === 'check' ? 'checking' : 'fetching', ...meter.update(done) });
  };
  return downloadFile(
    client,
    { name: 'package.nupkg', ...found },
    {
      directory: work,
      connections: 4,
      pieceBytes: 32 * 1024 * 1024,
      retry: request.retry ?? defaultRetry,
      signal: request.signal,
      refuseFailure,
      onEvent,
    },
  );
}

/** Service index -> address of packages and of their records -> size and hash of this version. */
async function findPackage(client: HttpClient, index: URL, { version, signal, retry }: CudaRequest): Promise<Package> {
  const get = (url: URL): Promise<Record<string, unknown>> =>
    withRetries(retry ?? defaultRetry, { signal }, () => readJson(client, url, signal));
  const resources = (await get(index))['resources'];
  const record = await get(new URL(`${PACKAGE}/${version}.json`, resourceOf(resources, 'RegistrationsBaseUrl', index)));
  const entry = await get(addressIn(record['catalogEntry'], index));
  const { packageHash, packageHashAlgorithm, packageSize } = entry;
  const hash = typeof packageHash === 'string' ? Buffer.from(packageHash, 'base64') : Buffer.alloc(0);
  const wellFormed = packageHashAlgorithm === 'SHA512' && hash.length === createHash('sha512').digest().length;
  if (!wellFormed || typeof packageSize !== 'number' || !Number.isSafeInteger(packageSize) || packageSize < 1) {
    throw new HubError('hubNoHash', {
      message: `${index.host} gives no sha512 and size for ${PACKAGE} ${version}, so that it could not be checked.`,
      fix: 'Use the registry that onnxruntime-node names, or place the CUDA provider by hand.',
    });
  }
  const base = resourceOf(resources, 'PackageBaseAddress/3.0.0', index);
  const url = new URL(`${PACKAGE}/${version}/${PACKAGE}.${version}.nupkg`, base);
  return { url, bytes: packageSize, hash: { algorithm: 'sha512', hex: hash.toString('hex') } };
}

function resourceOf(resources: unknown, type: string, index: URL): URL {
  const list: unknown[] = Array.isArray(resources) ? resources : [];
  const found = list.find((entry) => (entry as Record<string, unknown> | null)?.['@type'] === type);
  const address = addressIn((found as Record<string, unknown> | undefined)?.['@id'], index);
  return address.href.endsWith('/') ? address : new URL(`${address.href}/`);
}

function addressIn(value: unknown, index: URL): URL {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null;
  // What is fetched over https is not described over anything less.
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && index.protocol === 'http:'))) return url;
  throw badAnswer(index, 'does not describe the package as a NuGet registry (version 3) does');
}

async function readJson(client: HttpClient, url: URL, signal?: AbortSignal): Promise<Record<string, unknown>> {
  const answer = await client.get(url, { signal });
  refuseFailure(answer);
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer.body) {
    bytes += part.length;
    if (bytes > MAX_JSON_BYTES) throw badAnswer(url, 'sends too much');
    parts.push(part);
  }
  try {
    const json: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch {
    // said below
  }
  throw badAnswer(url, 'does not answer with JSON');
}

function refuseFailure(answer: HttpAnswer): void {
  const { status, url, headers } = answer;
  if (status >= 200 && status < 300) return;
  answer.drop();
  const waitMs = retryAfterMs(headers, Date.now());
  const fix = 'Try again later: what has arrived is kept. The CPU and WebGPU providers work without it.';
  const message = `${shownUrl(url)} failed with status ${status}.`;
  if (status === 429) throw new HubError('hubBusy', { message, fix, retryAfterMs: waitMs });
  if (status >= 500) throw new HubError('hubServer', { message, fix, retryAfterMs: waitMs });
  throw new HubError(status === 404 ? 'hubMissingFile' : 'hubRefused', {
    message,
    fix: 'This version of ONNX Runtime may have no CUDA provider there; the CPU and WebGPU providers work without it.',
  });
}

/** The package and what is unpacked from it: about twice its size more. */
async function checkRoom(work: string, bytes: number): Promise<void> {
  const disk = await statfs(work);
  const free = disk.bavail * disk.bsize;
  if (free >= 4 * bytes) return;
  throw new HubError('diskFull', {
    message: `The CUDA provider needs ${Math.ceil((4 * bytes) / 1e6)} MB while it is unpacked, ${work} has ${Math.floor(free / 1e6)} MB.`,
    fix: 'Free some space on that disk and run it again.',
  });
}

function badAnswer(url: URL, what: string): HubError {
  return new HubError('hubBadAnswer', {
    message: `${shownUrl(url)} ${what}.`,
    fix: 'Check the network: a login page or a proxy may answer in its place.',
  });
}

function notWritable(directory: string, cause: unknown): HubError {
  return new HubError('hubBadRequest', {
    message: `${directory} cannot be written, and the CUDA provider is looked for nowhere else.`,
    fix: 'Install Waggle where this user may write, or run this once as the user who installed it.',
    cause,
  });
}

function noVersion(version: string): HubError {
  return new HubError('hubBadRequest', {
    message: `${JSON.stringify(version.slice(0, 40))} is no released version of ONNX Runtime.`,
    fix: 'Install the released package of onnxruntime-node.',
  });
}
