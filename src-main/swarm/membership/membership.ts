/**
 * Joining, creating, choosing and leaving swarms: the one implementation behind the page, the API and the command line.
 * Reads and writes the list of joined swarms, one change at a time. Receives the task sets this node knows and its keys as
 * functions; knows no network: whoever runs a node is told of a change and moves over by itself.
 *
 * Invariant: nothing is written unless the whole change holds; an invite that this version cannot take part in is never joined.
 */
import { WaggleError } from '../../base/errors.ts';
import { safeLine } from '../../base/sanitise-text.ts';
import { DESCRIPTION, misfitOf, signDescription } from '../codec/description.ts';
import type { Misfit, SwarmDescription } from '../codec/description.ts';
import { toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import { DEFAULT_LIMITS, WIRE } from '../limits.ts';
import { decodeInvite, encodeInvite, INVITE_FAULTS, newSecret } from './invite.ts';
import type { Invite } from './invite.ts';
import { joined, left, readSwarmList, writeSwarmList } from './swarm-list.ts';
import type { SwarmList } from './swarm-list.ts';

export interface MembershipOptions {
  /** The file of joined swarms (swarm-list.ts). */
  path: string;
  /** Task sets this node can practise. */
  taskSets: readonly { name: string; version: number }[];
  /** This node's keys, to sign what it creates. */
  keyPair: () => KeyPair | Promise<KeyPair>;
  now?: () => number;
}

/** What the maker of a swarm decides. */
export interface NewSwarm {
  name: string;
  taskSet: string;
  /** Only whoever has the link can find and enter it. The secret is made here: a typed one could be guessed from the link. */
  private: boolean;
  shardCount: number;
  /** Rounds behind its origin's newest after which a record is refused. */
  maxRoundAge?: number;
}

/** A joined or offered swarm, for people. */
export interface SwarmCard {
  /** 64 hex digits. */
  id: string;
  name: string;
  private: boolean;
  taskSet: string;
  taskSetVersion: number;
  protocol: number;
  maxRoundAge: number;
  shardCount: number;
  /** Public key of whoever made it. */
  creator: string;
  /** The creator's clock, ms since epoch. */
  createdAt: number;
  /** Why this version cannot take part, and what to do; null when it can. */
  misfit: { code: string; message: string; fix: string } | null;
}

/** Beyond it peers' records would outlive their use. */
export const MAX_ROUND_AGE = 256;

export class Membership {
  readonly #options: MembershipOptions;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Errors: `swarmListDamaged`. */
  list(): Promise<SwarmList> {
    return readSwarmList(this.#options.path);
  }

  card({ description, secret }: Invite): SwarmCard {
    const { id, name, taskSet, taskSetVersion, protocol, maxRoundAge, shardCount, creator, createdAt } = description;
    const misfit = this.misfit(description);
    return {
      id,
      name,
      private: secret !== null,
      taskSet,
      taskSetVersion,
      protocol,
      maxRoundAge,
      shardCount,
      creator: toHex(creator),
      createdAt,
      misfit: misfit && { code: misfit.reason, message: misfit.message, fix: misfit.fix },
    };
  }

  misfit(description: SwarmDescription): Misfit | null {
    const taskSets = Object.fromEntries(this.#options.taskSets.map(({ name, version }) => [name, version]));
    return misfitOf(description, { taskSets });
  }

  /** What a pasted text says, whether or not this node can take part. Errors: `badInvite`. */
  read(link: string): Invite {
    const decoded = decodeInvite(link);
    if (decoded.ok) return decoded.invite;
    const [message, fix] = INVITE_FAULTS[decoded.reason];
    throw new WaggleError({ code: 'badInvite', message, fix });
  }

  /** Joined and taken part in. Errors: `badInvite`, those of a misfit, `tooManySwarms`, `swarmListDamaged`. */
  join(link: string): Promise<SwarmList> {
    const invite = this.read(link);
    const misfit = this.misfit(invite.description);
    if (misfit !== null)
      return Promise.reject(new WaggleError({ code: misfit.reason, message: misfit.message, fix: misfit.fix }));
    return this.#change((list) => joined(list, invite));
  }

  /** Made, joined and taken part in. Errors: `unknownTaskSet`, `badSwarmName`, `badSwarmLimits`, and those of `join`. */
  async create(wanted: NewSwarm): Promise<{ list: SwarmList; invite: Invite }> {
    const invite = this.#sign(wanted, await this.#options.keyPair());
    return { list: await this.#change((list) => joined(list, invite)), invite };
  }

  /** Null is the public swarm. Errors: `unknownSwarm`. */
  choose(id: string | null): Promise<SwarmList> {
    return this.#change((list) => ({ ...list, active: id === null ? null : find(list, id).description.id }));
  }

  /** Errors: `unknownSwarm`. */
  leave(id: string): Promise<SwarmList> {
    return this.#change((list) => left(list, find(list, id).description.id));
  }

  /** Link of a joined swarm; a private one's holds its secret. Errors: `unknownSwarm`. */
  async inviteOf(id: string): Promise<string> {
    return encodeInvite(find(await this.list(), id));
  }

  /** One after the other: two changes at once would lose the first. */
  #change(next: (list: SwarmList) => SwarmList): Promise<SwarmList> {
    const change = async () => {
      const list = next(await this.list());
      await writeSwarmList(this.#options.path, list);
      return list;
    };
    const done = this.#tail.then(change);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  #sign(wanted: NewSwarm, keys: KeyPair): Invite {
    const set = this.#options.taskSets.find(({ name }) => name === wanted.taskSet);
    if (set === undefined) throw unknownTaskSet(wanted.taskSet, this.#options.taskSets);
    const { name, shardCount, maxRoundAge = DEFAULT_LIMITS.maxRoundAge } = wanted;
    if (!isWithin(shardCount, DESCRIPTION.maxShards) || !isWithin(maxRoundAge, MAX_ROUND_AGE))
      throw new WaggleError({
        code: 'badSwarmLimits',
        message: `${String(shardCount)} topics and ${String(maxRoundAge)} rounds cannot be the limits of a swarm.`,
        fix: `Choose 1 to ${String(DESCRIPTION.maxShards)} topics and 1 to ${String(MAX_ROUND_AGE)} rounds.`,
      });
    const secret = wanted.private ? newSecret() : null;
    const terms = {
      name,
      taskSet: set.name,
      taskSetVersion: set.version,
      protocol: WIRE.version,
      maxRoundAge,
      shardCount,
    };
    const createdAt = (this.#options.now ?? Date.now)();
    try {
      return { description: signDescription({ ...terms, createdAt, secret }, keys), secret };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const fix = `Give it a name of 1 to ${String(DESCRIPTION.maxNameBytes)} bytes of visible text.`;
      throw new WaggleError({ code: 'badSwarmName', message: 'That cannot be the name of a swarm.', fix });
    }
  }
}

function isWithin(count: number, max: number): boolean {
  return Number.isSafeInteger(count) && count >= 1 && count <= max;
}

function find(list: SwarmList, id: string): Invite {
  const found = list.swarms.find(({ description }) => description.id === id);
  if (found !== undefined) return found;
  throw new WaggleError({
    code: 'unknownSwarm',
    message: 'This node has not joined that swarm, or has left it.',
    fix: 'Look at the list of joined swarms again, or join it by its invite link.',
  });
}

function unknownTaskSet(name: string, known: readonly { name: string }[]): WaggleError {
  return new WaggleError({
    code: 'unknownTaskSet',
    message: `There is no task set called ${JSON.stringify(safeLine(name, 40))}.`,
    fix: `Choose one of: ${known.map((each) => each.name).join(', ')}`,
  });
}
