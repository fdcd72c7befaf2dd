/**
 * Reads one checkpoint folder and believes nothing: sizes and hashes first, content after.
 * Does NOT know of other checkpoints. A damaged folder is a result, not an exception; a failing disk counts as damage.
 * The tensors are views of one buffer, the size of the file: nothing is held twice.
 */
import { createHash } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  manifestFile,
  parseManifest,
  stateFile,
  tensorsFile,
  type FileSeal,
  type Manifest,
} from './checkpoint-manifest.ts';
import { decodeSafetensors } from './safetensors.ts';

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface CheckpointTensor {
  shape: readonly number[];
  /** Row-major. */
  data: Float32Array;
}

/** Why a checkpoint was not used. The last two are never damage: they are somebody else's. */
export type Damage =
  | 'noManifest'
  | 'manifestDamaged'
  | 'fileMissing'
  | 'wrongSize'
  | 'wrongHash'
  | 'contentDamaged'
  | 'unreadable'
  | 'foreign'
  | 'newerFormat';

export interface LoadedCheckpoint {
  path: string;
  version: number;
  identity: string;
  /** Ms since epoch. */
  savedAt: number;
  state: JsonObject;
  tensors: Record<string, CheckpointTensor>;
}

type Unusable = { ok: false; damage: Damage; reason: string };
type Inspected = { ok: true; manifest: Manifest } | Unusable;
type Read = { ok: true; checkpoint: LoadedCheckpoint } | Unusable;

const maxManifestBytes = 64 * 1024;
const stepBytes = 1024 * 1024;

const unusable = (damage: Damage, reason: string): Unusable => ({ ok: false, damage, reason });

/** Reads the manifest only. */
export async function inspect(path: string): Promise<Inspected> {
  const file = join(path, manifestFile);
  let text: string;
  try {
    if ((await stat(file)).size > maxManifestBytes) return unusable('foreign', `${manifestFile} is too large`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    return isMissing(error)
      ? unusable('noManifest', `${manifestFile} is missing`)
      : unusable('unreadable', String(error));
  }
  const parsed = parseManifest(text);
  if (parsed.ok) return parsed;
  return unusable(parsed.kind === 'damaged' ? 'manifestDamaged' : parsed.kind, parsed.reason);
}

/** Reads everything and checks it. */
export async function readCheckpoint(path: string): Promise<Read> {
  const inspected = await inspect(path);
  if (!inspected.ok) return inspected;
  const { version, identity, savedAt, files } = inspected.manifest;
  const state = await readSealed(path, stateFile, files[stateFile]);
  if (!state.ok) return state;
  const tensors = await readSealed(path, tensorsFile, files[tensorsFile]);
  if (!tensors.ok) return tensors;
  try {
    const parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(state.bytes)) as JsonObject;
    const decoded = decodeSafetensors(tensors.bytes, join(path, tensorsFile));
    const views = [...decoded.entries].map(([name, { shape }]): [string, CheckpointTensor] => [
      name,
      { shape, data: decoded.readFloats(name) },
    ]);
    return {
      ok: true,
      checkpoint: { path, version, identity, savedAt, state: parsed, tensors: Object.fromEntries(views) },
    };
  } catch (error) {
    return unusable('contentDamaged', String(error)); // the hash was right: written by a faulty program
  }
}

async function readSealed(
  path: string,
  name: string,
  seal: FileSeal,
): Promise<{ ok: true; bytes: Uint8Array } | Unusable> {
  try {
    const handle = await open(join(path, name), 'r');
    try {
      const { size } = await handle.stat();
      if (size !== seal.bytes) return unusable('wrongSize', `${name} has ${size} bytes instead of ${seal.bytes}`);
      const bytes = new Uint8Array(size);
      const hash = createHash('sha256');
      for (let done = 0; done < size;) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(stepBytes, size - done), done);
        if (bytesRead === 0) return unusable('wrongSize', `${name} ends at ${done} bytes instead of ${size}`);
        hash.update(bytes.subarray(done, done + bytesRead));
        done += bytesRead;
      }
      return hash.digest('hex') === seal.sha256
        ? { ok: true, bytes }
        : unusable('wrongHash', `${name} does not match its hash`);
    } finally {
      await handle.close();
    }
  } catch (error) {
    return isMissing(error) ? unusable('fileMissing', `${name} is missing`) : unusable('unreadable', String(error));
  }
}

const isMissing = (error: unknown) =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
