/**
 * What a hub has of a model: the files of one commit with their sizes and hashes, and which of them a policy needs.
 * Source: the Hugging Face hub's model API (`/api/models/ID/revision/REV?blobs=true`, `/ID/resolve/REV/FILE`) as
 * huggingface_hub 2.4 uses it. The answer is untrusted: a name that could leave the folder condemns the whole list.
 */
import type { FileHash } from './file-hash.ts';
import { HubError, shownUrl } from './hub-error.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { retryAfterMs } from './retry.ts';

export interface ListedFile {
  path: string;
  /** Null where the list does not say; a HEAD request does then. */
  bytes: number | null;
  hash: FileHash | null;
}
export interface KnownFile extends ListedFile {
  bytes: number;
  hash: FileHash;
}
export interface ModelListing {
  id: string;
  /** 40 hexadecimal digits: files are asked for by it, so that all are of one state. */
  commit: string;
  files: ListedFile[];
}
export interface ModelAddress {
  endpoint: URL;
  /** ORG/NAME, or NAME. */
  id: string;
  revision: string;
}

const MAX_LISTING_BYTES = 16 * 1024 * 1024;
const MAX_FILES = 100_000;
const PART = '[A-Za-z0-9_][A-Za-z0-9._-]{0,95}';
const ID = new RegExp(`^${PART}(/${PART})?$`);
const REVISION = /^[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}$/;

export function isModelId(id: string): boolean {
  return ID.test(id) && !id.includes('..') && !id.split('/').some((part) => part.endsWith('.'));
}

/** @throws HubError `hubBadRequest` */
export function checkModelId(id: string): void {
  if (isModelId(id)) return;
  throw new HubError('hubBadRequest', {
    message: `${JSON.stringify(id.slice(0, 120))} is no model id.`,
    fix: 'Name it as the hub does, for example HuggingFaceTB/SmolLM2-135M-Instruct.',
  });
}

/** One request. @throws HubError */
export async function fetchListing(
  client: HttpClient,
  address: ModelAddress,
  signal?: AbortSignal,
): Promise<ModelListing> {
  checkModelId(address.id);
  if (!REVISION.test(address.revision) || address.revision.includes('..')) {
    throw new HubError('hubBadRequest', {
      message: `${JSON.stringify(address.revision.slice(0, 120))} is no revision.`,
      fix: 'Name a branch, a tag or a commit of the model, or leave it out for main.',
    });
  }
  const url = hubUrl(address.endpoint, `api/models/${address.id}/revision/${encodeURIComponent(address.revision)}`);
  url.searchParams.set('blobs', 'true');
  const answer = await client.get(url, { signal });
  refuseFailure(answer, address);
  return parseListing(await readJson(answer), address.id);
}

/** Size and hash of one file from the headers of its address, for mirrors whose list leaves them out. @throws HubError */
export async function describeFile(
  client: HttpClient,
  address: ModelAddress,
  commit: string,
  path: string,
  signal?: AbortSignal,
): Promise<KnownFile> {
  const url = fileUrl(address, commit, path);
  const answer = await client.get(url, { method: 'HEAD', stopAtOtherServer: true, signal });
  answer.drop();
  if (answer.status >= 400) refuseFailure(answer, address, path);
  const header = (name: string): string | undefined => {
    const value = answer.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  const tag = (header('x-linked-etag') ?? header('etag') ?? '').replace(/^W\//, '').replaceAll('"', '');
  const bytes = Number(header('x-linked-size') ?? (answer.status < 300 ? header('content-length') : NaN));
  const hash = hashOf(tag);
  if (hash === null) throw noHash(path, answer.url);
  if (!isSize(bytes)) throw badAnswer(answer.url, `does not say how long ${path} is`);
  return { path, bytes, hash };
}

export function fileUrl(address: ModelAddress, commit: string, path: string): URL {
  const name = path.split('/').map(encodeURIComponent).join('/');
  return hubUrl(address.endpoint, `${address.id}/resolve/${commit}/${name}`);
}

function hubUrl(endpoint: URL, path: string): URL {
  return new URL(path, endpoint.href.endsWith('/') ? endpoint : `${endpoint.href}/`);
}

function parseListing(json: unknown, id: string): ModelListing {
  const raw = asRecord(json);
  const siblings = raw?.['siblings'];
  const commit = raw?.['sha'];
  if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit) || !Array.isArray(siblings)) {
    throw new HubError('hubBadAnswer', {
      message: `The list of files of ${id} has no commit or no files.`,
      fix: 'Check HF_ENDPOINT: the server must speak the Hugging Face hub API.',
    });
  }
  if (siblings.length > MAX_FILES) throw hostile(id, `${siblings.length} files`);
  const seen = new Set<string>();
  const files = (siblings as unknown[]).map((entry) => {
    const file = parseFile(asRecord(entry), id);
    // Two names that differ in case are one file on many disks.
    if (seen.has(file.path.toLowerCase())) throw hostile(id, `the name ${shown(file.path)} twice`);
    seen.add(file.path.toLowerCase());
    return file;
  });
  return { id, commit, files };
}

function parseFile(entry: Record<string, unknown> | null, id: string): ListedFile {
  const path = entry?.['rfilename'];
  if (typeof path !== 'string') throw hostile(id, 'a file without a name');
  if (!isSafePath(path)) throw hostile(id, `the name ${shown(path)}`);
  const lfs = asRecord(entry?.['lfs']);
  const size = lfs?.['size'] ?? entry?.['size'] ?? null;
  if (size !== null && !isSize(size)) throw hostile(id, `a size that is none for ${shown(path)}`);
  const hex = lfs ? (lfs['sha256'] ?? lfs['oid']) : entry?.['blobId'];
  return { path, bytes: size, hash: typeof hex === 'string' ? hashOf(hex) : null };
}

/** Relative, with forward slashes, nothing that a file system reads otherwise. */
export function isSafePath(path: string): boolean {
  if (path.length === 0 || path.length > 1000 || /[\\:\p{Cc}]/u.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function hashOf(hex: string): FileHash | null {
  if (/^[0-9a-f]{64}$/.test(hex)) return { algorithm: 'sha256', hex };
  return /^[0-9a-f]{40}$/.test(hex) ? { algorithm: 'gitBlob', hex } : null;
}

const SMALL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
]);
const REQUIRED = ['config.json', 'tokenizer.json'];
const INDEX = 'model.safetensors.index.json';
const SHARD = /^model-(\d{5})-of-(\d{5})\.safetensors$/;

/** The files a policy needs, small ones first. @throws HubError `hubUnsupported` */
export function neededFiles({ id, files }: ModelListing): ListedFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const name of REQUIRED) {
    if (!byPath.has(name)) throw unsupported(id, `has no ${name}`);
  }
  const small = files.filter(({ path }) => SMALL_FILES.has(path));
  const whole = byPath.get('model.safetensors');
  if (whole) return [...small, whole];
  const index = byPath.get(INDEX);
  const shards = files.filter(({ path }) => SHARD.test(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const total = Number(SHARD.exec(shards[0]?.path ?? '')?.[2]);
  const name = (i: number): string => `model-${pad(i)}-of-${pad(total)}.safetensors`;
  const complete = shards.length === total && shards.every(({ path }, i) => path === name(i + 1));
  if (!index || !complete) throw unsupported(id, 'has no complete set of safetensors weights');
  return [...small, index, ...shards];
}

function pad(n: number): string {
  return String(n).padStart(5, '0');
}

/** An answer that is no success, as the error it means. The hub says the kind in `X-Error-Code`. */
export function refuseFailure(answer: HttpAnswer, { id, revision }: ModelAddress, path?: string): void {
  const { status, headers, url } = answer;
  if (status >= 200 && status < 300) return;
  answer.drop();
  const kind = String(headers['x-error-code'] ?? '');
  const page = `${url.origin}/${id}`;
  if (status === 429) {
    const waitMs = retryAfterMs(headers, Date.now());
    throw new HubError('hubBusy', {
      message: `${url.host} asks for fewer requests${waitMs === null ? '' : `, and to wait ${Math.ceil(waitMs / 1000)} s`}.`,
      fix: 'Try again later; with a token (HF_TOKEN) the limits are higher.',
      retryAfterMs: waitMs,
    });
  }
  if (status >= 500) {
    throw new HubError('hubServer', {
      message: `${url.host} failed with status ${status}.`,
      fix: 'Try again later, or use a mirror (HF_ENDPOINT): what has arrived is kept.',
      retryAfterMs: retryAfterMs(headers, Date.now()),
    });
  }
  if (kind === 'RevisionNotFound') {
    throw new HubError('hubUnknownModel', {
      message: `${id} has no revision ${revision}.`,
      fix: `Look at ${page} for its branches and tags, or leave the revision out for main.`,
    });
  }
  if (kind === 'GatedRepo' || status === 401 || status === 403) {
    throw new HubError('hubGated', {
      message: `${url.host} does not give ${id} to everybody (status ${status}): it is gated or private, or there is no such model.`,
      fix: `Open ${page}, accept its conditions, make a read token in your account's settings, and run again with HF_TOKEN=... in the environment. Check the spelling of the id as well.`,
    });
  }
  if (status === 404) {
    const missing = path !== undefined && kind !== 'RepoNotFound';
    throw new HubError(missing ? 'hubMissingFile' : 'hubUnknownModel', {
      message: missing ? `${id} has no file ${path} at this revision.` : `${url.host} has no model ${id}.`,
      fix: missing
        ? 'Run the command again for a fresh list of files; if it stays so, use another mirror (HF_ENDPOINT).'
        : 'Check the spelling of the id: it is ORG/NAME, upper and lower case count.',
    });
  }
  throw new HubError('hubRefused', {
    message: `${shownUrl(url)} was refused with status ${status}.`,
    fix: 'Check HF_ENDPOINT and the proxy settings.',
  });
}

async function readJson(answer: HttpAnswer): Promise<unknown> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer.body) {
    bytes += part.length;
    if (bytes > MAX_LISTING_BYTES) throw badAnswer(answer.url, `sends more than ${MAX_LISTING_BYTES} bytes of list`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    throw badAnswer(answer.url, 'does not answer with JSON');
  }
}

function badAnswer(url: URL, what: string): HubError {
  return new HubError('hubBadAnswer', {
    message: `${shownUrl(url)} ${what}.`,
    fix: 'Check HF_ENDPOINT: the server must speak the Hugging Face hub API. A login page of the network answers like this, too.',
  });
}

function hostile(id: string, what: string): HubError {
  return new HubError('hubHostileName', {
    message: `The list of files of ${id} holds ${what}; nothing of it was written.`,
    fix: 'Do not use this server (HF_ENDPOINT) or this model.',
  });
}

function noHash(path: string, url: URL): HubError {
  return new HubError('hubNoHash', {
    message: `${url.host} gives no hash for ${path}, so that what arrives could not be checked.`,
    fix: 'Use another mirror (HF_ENDPOINT).',
  });
}

function unsupported(id: string, what: string): HubError {
  return new HubError('hubUnsupported', {
    message: `${id} ${what}: it is no model folder that Waggle can read.`,
    fix: 'Choose a model in Hugging Face layout with tokenizer.json and safetensors weights (see `waggle models`).',
  });
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
