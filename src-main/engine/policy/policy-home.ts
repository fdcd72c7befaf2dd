/**
 * Where a policy's progress lies: a folder of its own below `checkpoints`, named after the policy and the digest of its weights, so
 * that policies never mix, a model folder may be moved or renamed, and one whose weights were changed starts anew beside the former.
 *
 *     checkpoints/NAME-DIGEST/checkpoint-000000000012  checkpoints/NAME-DIGEST/redo.log
 *
 * Earlier versions kept one policy's progress right in `checkpoints`, known by its name: it is moved over, once, when that policy is
 * opened. Knows nothing of what is in a checkpoint.
 */
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { inspect } from '../../../native-models/checkpoint/checkpoint-reader.ts';
import { policyDigest } from '../../../native-models/policy/policy-digest.ts';
import { syncDirectory } from '../../base/atomic-file.ts';
import { RedoLog } from '../../train/redo-log.ts';

export interface PolicyHome {
  /** Of the model, absolute. */
  directory: string;
  /** The folder's name. */
  name: string;
  /** The same for the same weights, wherever they lie. */
  identity: string;
  /** Folder of checkpoints and redo log; it exists. */
  checkpoints: string;
  /** What rounds without an owner belong to: this policy, unless `checkpoints` still holds those of another. */
  ownsEarlier: boolean;
}

const REDO_LOG = 'redo.log';
const DIGEST_CHARACTERS = 16;

export function redoLogOf({ checkpoints }: Pick<PolicyHome, 'checkpoints'>): string {
  return join(checkpoints, REDO_LOG);
}

/** @throws PolicyError where the folder is no model; the system's errors for `checkpoints` */
export async function openPolicyHome(modelDirectory: string, checkpointsRoot: string): Promise<PolicyHome> {
  const directory = resolve(modelDirectory);
  const name = basename(directory);
  const digest = await policyDigest(directory);
  const checkpoints = await folderFor(checkpointsRoot, name, digest.slice(0, DIGEST_CHARACTERS));
  const ownsEarlier = await takeOverEarlier(checkpointsRoot, name, checkpoints);
  return { directory, name, identity: `weights:${digest}`, checkpoints, ownsEarlier };
}

/** The one that ends with the digest, whatever the model folder was called when it was made. */
async function folderFor(root: string, name: string, digest: string): Promise<string> {
  await mkdir(root, { recursive: true });
  const known = (await readdir(root)).find((entry) => entry.endsWith(`-${digest}`));
  const safeName = name.replace(/[^\w.-]+/g, '_').slice(0, 60);
  const folder = join(root, known ?? `${safeName}-${digest}`);
  await mkdir(folder, { recursive: true });
  await syncDirectory(root);
  return folder;
}

/**
 * Moves what an earlier version left right in `root`, if it is of a policy of this name. Each step is a rename, so an interruption
 * leaves the rest for the next opening. @returns false when there is something and it is of another policy
 */
async function takeOverEarlier(root: string, name: string, home: string): Promise<boolean> {
  const earlier = (await readdir(root)).filter((entry) => /^checkpoint-\d{12}$/.test(entry)).sort();
  const redo = join(root, REDO_LOG);
  const logBytes = await stat(redo).then(({ size }) => size, () => 0); // prettier-ignore
  if (earlier.length === 0 && logBytes === 0) return true;
  if ((await ownerOf(root, earlier)) !== name) return false;
  for (const entry of earlier) await rename(join(root, entry), join(home, entry));
  if (logBytes > 0) await rename(redo, join(home, REDO_LOG));
  await syncDirectory(home);
  await syncDirectory(root);
  return true;
}

/** The name in the newest manifest that can be read, else in the redo log; null where neither tells. */
async function ownerOf(root: string, checkpoints: readonly string[]): Promise<string | null> {
  for (const entry of checkpoints.toReversed()) {
    const seen = await inspect(join(root, entry));
    if (seen.ok) return seen.manifest.identity;
  }
  const { log, entries } = await RedoLog.open<{ policy?: string }>(join(root, REDO_LOG));
  await log.close();
  return entries[0]?.policy ?? null;
}
