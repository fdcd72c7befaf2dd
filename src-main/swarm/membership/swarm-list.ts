/**
 * The swarms this node has joined and which of them it takes part in, in one file of mode 600 (links of private swarms hold
 * their secret). Without a file, or with none chosen, it is the public swarm. Knows no network; a node that
 * runs is told by whoever changes the list (membership.ts).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { errnoCode, WaggleError } from '../../base/errors.ts';
import { decodeInvite, encodeInvite } from './invite.ts';
import type { Invite } from './invite.ts';

const MAX_SWARMS = 64;
const MAX_FILE_CHARACTERS = 256 * 1024;

export interface SwarmList {
  /** In the order they were joined. */
  swarms: Invite[];
  /** Id of the one taken part in; null is the public swarm. */
  active: string | null;
}

export function swarmListPath(dataDirectory: string): string {
  return join(dataDirectory, 'swarms.json');
}

/** A missing file is an empty list. Errors: `swarmListDamaged`. */
export async function readSwarmList(path: string): Promise<SwarmList> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return { swarms: [], active: null };
    throw error;
  }
  const list = text.length <= MAX_FILE_CHARACTERS ? parse(text) : null;
  if (list !== null) return list;
  throw new WaggleError({
    code: 'swarmListDamaged',
    message: `The list of joined swarms ${path} is damaged.`,
    fix: 'Move it away and join your private swarms again by their invite links.',
    values: { path },
  });
}

export function writeSwarmList(path: string, { swarms, active }: SwarmList): Promise<void> {
  const text = JSON.stringify({ version: 1, active, swarms: swarms.map(encodeInvite) }, null, 1);
  return writeFileAtomic(path, `${text}\n`, { mode: 0o600 });
}

/** Joined (or already there) and taken part in. Throws `tooManySwarms`. */
export function joined(list: SwarmList, invite: Invite): SwarmList {
  const { id } = invite.description;
  const others = list.swarms.filter((each) => each.description.id !== id);
  if (others.length >= MAX_SWARMS)
    throw new WaggleError({
      code: 'tooManySwarms',
      message: `This node has joined ${String(MAX_SWARMS)} swarms, which is the most it keeps.`,
      fix: 'Leave one first: `waggle swarm leave NAME`.',
    });
  return { swarms: [...others, invite], active: id };
}

/** Forgotten; the public swarm is next when it was the active one. */
export function left(list: SwarmList, id: string): SwarmList {
  return {
    swarms: list.swarms.filter((each) => each.description.id !== id),
    active: list.active === id ? null : list.active,
  };
}

function parse(text: string): SwarmList | null {
  try {
    const value = JSON.parse(text) as { version?: unknown; active?: unknown; swarms?: unknown };
    if (value.version !== 1 || !Array.isArray(value.swarms) || value.swarms.length > MAX_SWARMS) return null;
    const swarms = (value.swarms as unknown[]).map((link) => (typeof link === 'string' ? decodeInvite(link) : null));
    if (!swarms.every((each) => each?.ok === true)) return null;
    const invites = swarms.map((each) => each.invite);
    const known = invites.some(({ description }) => description.id === value.active);
    return { swarms: invites, active: known ? String(value.active) : null };
  } catch {
    return null;
  }
}
