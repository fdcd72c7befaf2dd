/**
 * The swarm as the loop and the status need it: verification by our own tasks handed in, credit for what was verified
 * gathered until the next round is recorded, and how long an adopted group waited. With the swarm switched off, the same port
 * that shares with nobody.
 */
import { createRandom } from '../base/random.ts';
import type { Logger } from '../base/log.ts';
import { parseHostPort, type Config } from '../config.ts';
import type { OwnGroup } from '../rollout/rollout.ts';
import type { PeerCredit } from '../store/rows.ts';
import type { Identity } from '../swarm/identity.ts';
import type { GroupChoice } from '../swarm/pool.ts';
import { createSwarm, type Swarm } from '../swarm/swarm.ts';
import { verifyGroup } from '../tasks/verify-completions.ts';
import type { Group, PeerId } from '../types.ts';
import type { PeerRow, SwarmSummary } from './api.ts';
import type { SwarmPort } from './loop.ts';
import { noSwarm } from './node-status.ts';

export interface NodeSwarmOptions {
  config: Config;
  identity: Identity;
  policyName: () => string;
  /** The round in progress, for the age of adopted groups. */
  currentRound: () => number;
  log: Logger;
  onChange: () => void;
}

/** Arrival rounds are kept for this many groups; beyond it the oldest are forgotten. */
const MAX_ARRIVALS = 20_000;
const MEGABYTE = 1024 * 1024;

export class NodeSwarm implements SwarmPort {
  private readonly options: NodeSwarmOptions;
  private swarm: Swarm | null = null;
  private readonly arrivals = new Map<string, number>();
  private readonly credits = new Map<PeerId, PeerCredit>();
  private admitted = 0;
  private refused = 0;

  constructor(options: NodeSwarmOptions) {
    this.options = options;
  }

  async open(): Promise<void> {
    const { config, identity, log } = this.options;
    if (!config.swarmEnabled) return;
    const bootstrap = config.bootstrap.map(parseHostPort);
    const loopback = bootstrap.length > 0 && bootstrap.every(({ host }) => host === '127.0.0.1' || host === '::1');
    const random = createRandom(identity.publicKey, `swarm/${Date.now()}`);
    this.swarm = await createSwarm({
      name: config.swarmName,
      secret: config.swarmSecret === '' ? undefined : config.swarmSecret,
      bootstrap: bootstrap.length > 0 ? bootstrap : undefined,
      host: loopback ? '127.0.0.1' : undefined,
      identity,
      policyName: this.options.policyName,
      verify: verifyTexts,
      now: Date.now,
      random: () => random.float(),
      log: (level, message) => log[level](message),
      limits: { poolBytes: config.maxPoolMegabytes * MEGABYTE, maxRoundAge: config.maxGroupAgeRounds },
      onAdmitted: (group) => this.onAdmitted(group),
      onRejected: (peer) => {
        this.refused++;
        this.credit(peer).rejected! += 1;
      },
      onChange: this.options.onChange,
    });
  }

  share(groups: readonly OwnGroup[], round: number): (string | null)[] {
    const own = this.credit(this.options.identity.publicKey);
    own.policyName = this.options.policyName();
    for (const { completions } of groups) addGroup(own, completions);
    if (!this.swarm) return groups.map(() => null);
    const shareable = groups.map(({ instance, completions }) => ({
      task: instance.ref,
      completions: completions.map(({ text, ended }) => ({ text, ended })),
    }));
    return this.swarm.share(shareable, round);
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
    const { identity, config } = this.options;
    if (!this.swarm) return noSwarm(config.swarmName, identity.publicKey);
    const {
      presence,
      text,
      name,
      publicKey,
      peers,
      groupsShared,
      groupsAdopted,
      groupsPooled,
      rejected,
      bytesIn,
      bytesOut,
    } = this.swarm.status();
    return {
      presence,
      text,
      name,
      publicKey,
      peers,
      groupsShared,
      groupsAdopted,
      groupsPooled,
      rejected,
      bytesIn,
      bytesOut,
    };
  }

  peers(): PeerRow[] {
    return (this.swarm?.peers() ?? []).map(
      ({ peer, connected, policyName, latencyMs, bytesIn, bytesOut, groupsReceived, rejected, lastSeenAt }) => ({
        peer,
        connected,
        policyName,
        latencyMs,
        bytesIn,
        bytesOut,
        groupsReceived,
        rejected,
        lastSeenAt,
      }),
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

  async close(): Promise<void> {
    await this.swarm?.close();
    this.swarm = null;
  }

  private onAdmitted(group: Group): void {
    this.admitted++;
    if (this.arrivals.size >= MAX_ARRIVALS) this.arrivals.delete(this.arrivals.keys().next().value!);
    this.arrivals.set(group.id, this.options.currentRound());
    const credit = this.credit(group.origin);
    credit.policyName = group.policyName;
    addGroup(credit, group.completions);
  }

  private credit(peer: PeerId): PeerCredit {
    const known = this.credits.get(peer);
    if (known) {
      known.at = Date.now();
      return known;
    }
    const own = peer === this.options.identity.publicKey;
    const fresh: PeerCredit = {
      peer,
      own,
      at: Date.now(),
      ...(own && this.options.config.displayName !== '' ? { displayName: this.options.config.displayName } : {}),
      groupsVerified: 0,
      completionsVerified: 0,
      completionsRight: 0,
      groupsAdopted: 0,
      rejected: 0,
    };
    this.credits.set(peer, fresh);
    return fresh;
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
