/**
 * The swarm as the loop and the status need it: verification by our own tasks handed in, credit for what was verified
 * gathered until the next round is recorded, and how long an adopted group waited. With the swarm switched off, the same port
 * that shares with nobody.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { describeError } from '../../base/errors.ts';
import { createRandom } from '../../base/random.ts';
import type { Logger } from '../../base/log.ts';
import { configFields, parseHostPort, type Config } from '../../config.ts';
import type { OwnGroup } from '../../rollout/rollout.ts';
import type { PeerCredit } from '../../store/rows.ts';
import type { Identity } from '../../swarm/identity/identity.ts';
import { misfitOf } from '../../swarm/codec/description.ts';
import type { Invite } from '../../swarm/membership/invite.ts';
import type { GroupChoice } from '../../swarm/records/pool.ts';
import { readSwarmList, swarmListPath } from '../../swarm/membership/swarm-list.ts';
import { isTaskOfKey } from '../rounds/task-stream.ts';
import { swarmTopic } from '../../swarm/overlay/discovery.ts';
import { secretKeyOf } from '../../swarm/identity/secret-key.ts';
import { createSwarm, type Swarm, type SwarmOptions } from '../../swarm/swarm.ts';
import { getTaskSet, listTaskSets } from '../../tasks/task-sets.ts';
import { verifyGroup } from '../../tasks/verify-completions.ts';
import type { Group, PeerId } from '../../types.ts';
import type { BoardRow, BoardWindow, OwnScore, PeerRow, ReceiptRow, SwarmSummary } from '../api.ts';
import type { SwarmPort } from '../loop.ts';
import { noSwarm } from '../view/node-status.ts';

export interface NodeSwarmOptions {
  config: Config;
  /** Where the list of joined swarms and the counts behind the board are kept. */
  dataDirectory: string;
  identity: Identity;
  policyName: () => string;
  /** What others see beside the key; without it, what the settings state. */
  profile?: () => { displayName: string; team: string };
  /** The round in progress, for the age of adopted groups. */
  currentRound: () => number;
  log: Logger;
  onChange: () => void;
  /** A peer's group whose rewards were computed here. */
  onVerified?: (group: Group) => void;
}

/** Arrival rounds are kept for this many groups; beyond it the oldest are forgotten. */
const MAX_ARRIVALS = 20_000;
/** Peers whose counts wait for the next round, which a paused node does not have; as many as the history keeps. */
const MAX_CREDITS = 5_000;
/** As networks count, and as the page shows it. */
const KILOBYTE = 1000;
const MEGABYTE = 1024 * 1024;
const SAVE_CREDIT_MS = 5 * 60_000;
const presetSwarmName = configFields.find(({ name }) => name === 'swarmName')?.default;
const presetTaskSet = configFields.find(({ name }) => name === 'taskSet')?.default;

/** A name or secret in the settings goes before any choice. */
export function settingsNameSwarm(config: Config): boolean {
  return config.swarmSecret !== '' || config.swarmName !== presetSwarmName;
}

/** The swarm that was chosen; null where none is, or where the settings name one. */
async function activeInvite(config: Config, dataDirectory: string): Promise<Invite | null> {
  if (settingsNameSwarm(config)) return null;
  const { swarms, active } = await readSwarmList(swarmListPath(dataDirectory));
  return swarms.find(({ description }) => description.id === active) ?? null;
}

/** Each swarm has a board of its own: named by its id, or by the topic of the name and secret that the settings give. */
async function creditFile(
  { name, secret, description }: Pick<SwarmOptions, 'name' | 'secret' | 'description'>,
  config: Config,
): Promise<string> {
  if (description !== undefined) return `credit-${description.id.slice(0, 16)}.json`;
  if (!settingsNameSwarm(config)) return 'credit.json';
  const topic = swarmTopic(name, await secretKeyOf(name, secret));
  return `credit-${topic.toString('hex').slice(0, 16)}.json`;
}

/** The set of the swarm that is taken part in, unless the settings name another than the preset or this version does not know it. */
export async function practisedTaskSet(config: Config, dataDirectory: string): Promise<string> {
  if (!config.swarmEnabled || config.taskSet !== presetTaskSet) return config.taskSet;
  const wanted = (await activeInvite(config, dataDirectory))?.description.taskSet;
  return wanted !== undefined && getTaskSet(wanted) ? wanted : config.taskSet;
}

export class NodeSwarm implements SwarmPort {
  private readonly options: NodeSwarmOptions;
  private swarm: Swarm | null = null;
  /** Why the chosen swarm cannot be entered; null when it can. */
  private misfit: string | null = null;
  private saving: NodeJS.Timeout | null = null;
  /** Of the swarm that is taken part in: each has a board of its own. */
  private creditPath = '';
  /** Entering and leaving swarms, one after the other. */
  private moves: Promise<void> = Promise.resolve();
  private moving = 0;
  private closed = false;
  private readonly arrivals = new Map<string, number>();
  private readonly credits = new Map<PeerId, PeerCredit>();
  private admitted = 0;
  private refused = 0;

  constructor(options: NodeSwarmOptions) {
    this.options = options;
  }

  open(): Promise<void> {
    return this.inTurn(() => this.enter());
  }

  /** Leaves the swarm it is in and enters the one chosen now. The round in progress goes on, and is not shared in the new one. */
  moveOver(): Promise<void> {
    this.moving++;
    this.options.onChange();
    const moved = this.inTurn(async () => {
      try {
        await this.depart();
        if (!this.closed) await this.enter();
      } finally {
        this.moving--;
        this.options.onChange();
      }
    });
    return moved;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.moves.then(work);
    this.moves = done.catch(() => undefined);
    return done;
  }

  private async depart(): Promise<void> {
    if (this.saving !== null) clearInterval(this.saving);
    this.saving = null;
    await this.saveCredit();
    const left = this.swarm;
    this.swarm = null;
    this.arrivals.clear();
    await left?.close();
  }

  private async enter(): Promise<void> {
    const { config, identity, log, dataDirectory } = this.options;
    this.misfit = null;
    if (!config.swarmEnabled) return;
    const bootstrap = config.bootstrap.map(parseHostPort);
    const loopback = bootstrap.length > 0 && bootstrap.every(({ host }) => host === '127.0.0.1' || host === '::1');
    const random = createRandom(identity.publicKey, `swarm/${Date.now()}`);
    const chosen = await this.chosenSwarm();
    if (chosen === null) return;
    this.creditPath = join(dataDirectory, await creditFile(chosen, config));
    this.swarm = await createSwarm({
      ...chosen,
      credit: await readFile(this.creditPath, 'utf8').catch(() => undefined),
      profile: () => this.profile(),
      bootstrap: bootstrap.length > 0 ? bootstrap : undefined,
      host: loopback ? '127.0.0.1' : undefined,
      lanDiscovery: config.lanDiscovery,
      carriesForOthers: config.carryForOthers,
      identity,
      role: config.role,
      policyName: this.options.policyName,
      verify: verifyTexts,
      isOwnTask: isTaskOfKey,
      now: Date.now,
      random: () => random.float(),
      log: (level, message) => log[level](message),
      limits: {
        poolBytes: config.maxPoolMegabytes * MEGABYTE,
        maxRoundAge: config.maxGroupAgeRounds,
        maxBytesPerSecondOut: config.maxUploadKilobytes * KILOBYTE,
        maxBytesPerSecondIn: config.maxDownloadKilobytes * KILOBYTE,
      },
      onAdmitted: (group) => this.onAdmitted(group),
      onRejected: (peer) => {
        this.refused++;
        this.credit(peer).rejected! += 1;
      },
      onChange: this.options.onChange,
    });
    this.saving = setInterval(() => void this.saveCredit(), SAVE_CREDIT_MS);
  }

  /** For one round: what was generated for the tasks of one swarm is not shared in another that was entered meanwhile. */
  forRound(): SwarmPort {
    const begunIn = this.swarm;
    return {
      share: (groups, round) => this.share(groups, round, begunIn),
      adopt: (choose) => this.adopt(choose),
    };
  }

  share(groups: readonly OwnGroup[], round: number, into: Swarm | null = this.swarm): (string | null)[] {
    const own = this.credit(this.options.identity.publicKey);
    own.policyName = this.options.policyName();
    for (const { completions } of groups) addGroup(own, completions);
    if (!into || into !== this.swarm) return groups.map(() => null);
    const shareable = groups.map(({ instance, completions }) => ({
      task: instance.ref,
      completions: completions.map(({ text, ended }) => ({ text, ended })),
    }));
    return into.share(shareable, round);
  }

  adopt(choose: GroupChoice): { group: Group; waitedRounds: number }[] {
    const groups = this.swarm?.adopt(choose) ?? [];
    return groups.map((group) => {
      const arrived = this.arrivals.get(group.id) ?? this.options.currentRound();
      this.arrivals.delete(group.id);
      this.credit(group.origin).groupsAdopted! += 1;
      return { group, waitedRounds: Math.max(0, this.options.currentRound() - arrived) };
    });
  }

  summary(): SwarmSummary {
    const summary = this.standing();
    // Whichever swarm it is in for a moment: it is on its way to another.
    return this.moving > 0 ? { ...summary, presence: 'joining', text: 'Changing over to another swarm' } : summary;
  }

  private standing(): SwarmSummary {
    const { identity, config } = this.options;
    if (!this.swarm) {
      const off = noSwarm(config.swarmName, identity.publicKey);
      return this.misfit === null ? off : { ...off, text: this.misfit };
    }
    const { duplicates, membersKnown, recordsHeld, doubledIdentityAt, ...summary } = this.swarm.status();
    return summary;
  }

  peers(): PeerRow[] {
    return (this.swarm?.peers() ?? []).map(
      ({ groupsVerified, completionsVerified, completionsRight, groupsAdopted, firstSeenAt, ...row }) => row,
    );
  }

  /** What was verified since the last call, for the history; and how many records came through or did not. */
  takeCredits(): { credits: PeerCredit[]; admitted: number; refused: number } {
    const taken = { credits: [...this.credits.values()], admitted: this.admitted, refused: this.refused };
    this.credits.clear();
    this.admitted = 0;
    this.refused = 0;
    return taken;
  }

  async power(event: 'suspend' | 'resume'): Promise<void> {
    await this.swarm?.[event]();
  }

  /** Highest score first; empty without a swarm. */
  board(window: BoardWindow): BoardRow[] {
    return this.swarm?.board(window) ?? [];
  }

  receiptsOf(peer: PeerId, limit: number): ReceiptRow[] {
    return this.swarm?.receiptsOf(peer, limit) ?? [];
  }

  /** Null without a swarm. */
  ownScore(window: BoardWindow): OwnScore | null {
    return this.swarm?.ownScore(window) ?? null;
  }

  close(): Promise<void> {
    this.closed = true;
    return this.inTurn(() => this.depart());
  }

  private async saveCredit(): Promise<void> {
    if (this.swarm === null) return;
    try {
      await writeFileAtomic(this.creditPath, this.swarm.exportCredit(), { mode: 0o600 });
    } catch (error) {
      this.options.log.debug(`The counts behind the board were not saved: ${describeError(error)}`);
    }
  }

  /** Null when the swarm chosen with `waggle swarm` does not fit this version. */
  private async chosenSwarm(): Promise<Pick<SwarmOptions, 'name' | 'secret' | 'description'> | null> {
    const { config, dataDirectory, log } = this.options;
    const invite = await activeInvite(config, dataDirectory);
    if (invite === null)
      return { name: config.swarmName, secret: config.swarmSecret === '' ? undefined : config.swarmSecret };
    const { description, secret } = invite;
    const taskSets = Object.fromEntries(listTaskSets().map(({ name, version }) => [name, version]));
    const misfit = misfitOf(description, { taskSets });
    if (misfit === null) return { name: description.name, secret: secret ?? undefined, description };
    this.misfit = `${config.role === 'both' ? 'Training alone' : 'Alone'}: ${misfit.message} ${misfit.fix}`;
    log.warn(this.misfit);
    return null;
  }

  private onAdmitted(group: Group): void {
    this.admitted++;
    if (this.arrivals.size >= MAX_ARRIVALS) this.arrivals.delete(this.arrivals.keys().next().value!);
    this.arrivals.set(group.id, this.options.currentRound());
    const credit = this.credit(group.origin);
    credit.policyName = group.policyName;
    addGroup(credit, group.completions);
    this.options.onVerified?.(group);
  }

  private profile(): { displayName: string; team: string } {
    const { config, profile } = this.options;
    return profile?.() ?? { displayName: config.displayName, team: config.team };
  }

  private credit(peer: PeerId): PeerCredit {
    const known = this.credits.get(peer);
    if (known) {
      known.at = Date.now();
      return known;
    }
    const own = peer === this.options.identity.publicKey;
    const { displayName } = this.profile();
    const fresh: PeerCredit = {
      peer,
      own,
      at: Date.now(),
      ...(own && displayName !== '' ? { displayName } : {}),
      groupsVerified: 0,
      completionsVerified: 0,
      completionsRight: 0,
      groupsAdopted: 0,
      rejected: 0,
    };
    if (this.credits.size >= MAX_CREDITS) this.forgetOne();
    this.credits.set(peer, fresh);
    return fresh;
  }

  /** Keys are free: one of which nothing was verified, else the one that waits longest. */
  private forgetOne(): void {
    const others = [...this.credits.values()].filter(({ own }) => !own);
    const least = others.find(({ groupsVerified }) => groupsVerified === 0) ?? others[0];
    if (least) this.credits.delete(least.peer);
  }
}

function addGroup(credit: PeerCredit, completions: readonly { reward: number }[]): void {
  credit.groupsVerified! += 1;
  credit.completionsVerified! += completions.length;
  credit.completionsRight! += completions.filter(({ reward }) => reward === 1).length;
}

/** Admission's question: what are these texts worth, by tasks regenerated here? */
function verifyTexts(ref: unknown, texts: readonly string[]) {
  const verified = verifyGroup(ref, texts);
  if (!verified.ok) return verified;
  return {
    ok: true as const,
    ref: verified.ref,
    question: verified.instance.question,
    rewards: verified.verdicts.map(({ reward }) => reward),
  };
}
