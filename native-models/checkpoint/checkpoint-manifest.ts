/**
 * What a checkpoint folder says of itself: format, version, and size and SHA-256 of each file.
 *
 * Knows nothing of folders. The manifest carries a checksum of its own, so that a flipped bit is told from a newer format:
 * every future format keeps `format`, `formatVersion` and the way `checksum` is made.
 */
import { createHash } from 'node:crypto';

export const formatName = 'waggle-checkpoint';
export const formatVersion = 1;
export const manifestFile = 'manifest.json';
export const stateFile = 'state.json';
export const tensorsFile = 'tensors.safetensors';

export interface FileSeal {
  bytes: number;
  /** Hex. */
  sha256: string;
}

export interface Manifest {
  /** Optimiser steps of the policy, as the caller counts them. */
  version: number;
  /** What the checkpoint belongs to, for example the policy's name; empty when the caller names nothing. */
  identity: string;
  /** Ms since epoch. */
  savedAt: number;
  files: Record<typeof stateFile | typeof tensorsFile, FileSeal>;
}

export type ParsedManifest =
  | { ok: true; manifest: Manifest }
  /** `foreign`: another program's; `newerFormat`: a later Waggle's; `damaged`: ours once, or nothing readable. */
  | { ok: false; kind: 'foreign' | 'newerFormat' | 'damaged'; reason: string };

export function formatManifest(manifest: Manifest): string {
  const body = { format: formatName, formatVersion, ...manifest };
  return JSON.stringify({ ...body, checksum: checksumOf(body) }, null, 1) + '\n';
}

export function parseManifest(text: string): ParsedManifest {
  const damaged = (reason: string): ParsedManifest => ({ ok: false, kind: 'damaged', reason });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return damaged('the manifest is not JSON, or was cut short');
  }
  if (!isObject(value)) return damaged('the manifest is no object');
  const { checksum, ...body } = value;
  const isIntact = checksum === checksumOf(body);
  if (body.format !== formatName) {
    // A damaged name of ours still has the shape of our manifest; anything else is somebody else's.
    const looksOurs =
      typeof checksum === 'string' && isSeal(isObject(body.files) ? body.files[tensorsFile] : undefined);
    return looksOurs && !isIntact
      ? damaged('the manifest is damaged')
      : { ok: false, kind: 'foreign', reason: `its format is ${quote(body.format)}` };
  }
  if (!isIntact) return damaged('the manifest does not match its checksum');
  if (body.formatVersion !== formatVersion) {
    return {
      ok: false,
      kind: 'newerFormat',
      reason: `format version ${quote(body.formatVersion)}, this Waggle knows ${formatVersion}`,
    };
  }
  const { version, identity, savedAt, files } = body;
  if (!isCount(version) || typeof identity !== 'string' || !isCount(savedAt) || !isObject(files))
    return damaged('the manifest lacks fields');
  const [state, tensors] = [files[stateFile], files[tensorsFile]];
  if (!isSeal(state) || !isSeal(tensors)) return damaged('the manifest lacks the size or hash of a file');
  return { ok: true, manifest: { version, identity, savedAt, files: { [stateFile]: state, [tensorsFile]: tensors } } };
}

const checksumOf = (body: object) => createHash('sha256').update(JSON.stringify(body)).digest('hex');
const quote = (value: unknown) => (value === undefined ? 'not stated' : JSON.stringify(value).slice(0, 60));
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isSeal = (value: unknown): value is FileSeal =>
  isObject(value) && isCount(value.bytes) && typeof value.sha256 === 'string' && /^[0-9a-f]{64}$/.test(value.sha256);
