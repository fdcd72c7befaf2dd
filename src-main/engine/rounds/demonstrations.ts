/**
 * The demonstrations of a node that trains with BRIDGE: peers' right answers and the owner's file, drawn for a round, and what of
 * them was imitated lately. Peers' answers come as groups that admission has verified here; they are written down every minute, so
 * that a start goes on with them. Knows nothing of how they are trained on.
 *
 * Decision: own right answers only fill what peers and file leave open, and only where `own` is among the sources. To imitate what
 * one writes anyway teaches little beyond what the reward of the same answer teaches already.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { describeError, errnoCode } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { safeBlock, safeLine } from '../../base/sanitise-text.ts';
import type { Config } from '../../config.ts';
import { mean } from '../../objective/objective.ts';
import {
  demonstrationTokens,
  type Demonstration,
  type DemonstrationTokens,
} from '../../rollout/demonstrations/demonstration.ts';
import {
  describeDropped,
  readDemonstrationFile,
  type DemonstrationFile,
} from '../../rollout/demonstrations/demonstration-file.ts';
import { DemonstrationPool } from '../../rollout/demonstrations/demonstration-pool.ts';
import type { OwnGroup, PolicyText } from '../../rollout/rollout.ts';
import { chooseDemonstrations, type ChosenDemonstration } from '../../train/choose-demonstrations.ts';
import type { Group, PeerId } from '../../types.ts';
import type { DemonstrationReport, DemonstrationRow } from '../api.ts';

export interface DemonstrationKeeperOptions {
  config: Config;
  /** Where peers' demonstrations are written down. */
  path: string;
  publicKey: PeerId;
  log: Pick<Logger, 'info' | 'warn'>;
}
/** A round that wants demonstrations. */
export interface DemonstrationWish {
  compute: ComputeHost;
  policy: PolicyText & { contextTokens: number };
  own: readonly OwnGroup[];
  /** Of `own`, nats per token. */
  ownSurprise: number;
  random: Random;
}
export interface ImitatedRound {
  demonstrations: readonly ChosenDemonstration[];
  /** Of own answers in that round. */
  ownSurprise: number;
}

const SAVE_MS = 60_000;
const MAX_POOL_BYTES = 16 * 1024 * 1024;
const LATEST_KEPT = 64;
const MAX_NAME_CHARS = 60;
const MAX_TEXT_CHARS = 4000;
/** Twice as many as are wanted are scored, so that there is something to prefer. */
const CANDIDATES = 2;

const count = z.int().min(0);
const savedSchema = z.object({
  pool: z.unknown(),
  used: z.object({ peer: count, file: count, own: count }),
  latest: z.array(z.custom<DemonstrationRow>((row) => typeof row === 'object' && row !== null)).max(LATEST_KEPT),
});

export class DemonstrationKeeper {
  private readonly options: DemonstrationKeeperOptions;
  private readonly pool: DemonstrationPool;
  private file: DemonstrationFile | null = null;
  private used = { peer: 0, file: 0, own: 0 };
  /** Newest first. */
  private latest: DemonstrationRow[] = [];
  private readonly saving: NodeJS.Timeout;
  private isRestored = false;
  private isChanged = false;
  private hadSome = true;

  constructor(options: DemonstrationKeeperOptions) {
    this.options = options;
    this.pool = new DemonstrationPool({
      maxDemonstrations: options.config.maxDemonstrations,
      maxBytes: MAX_POOL_BYTES,
    });
    this.saving = setInterval(() => void this.save(), SAVE_MS);
    this.saving.unref();
  }

  /** Again after a failure; once it has come through there is nothing to do. @throws WaggleError `demonstrationFile` */
  async open(): Promise<void> {
    const { config, log } = this.options;
    if (!this.isRestored) await this.restore();
    if (this.file || config.demonstrationFile === '') return;
    this.file = await readDemonstrationFile(config.demonstrationFile);
    const { demonstrations, dropped } = this.file;
    log.info(`${demonstrations.length} demonstrations in ${config.demonstrationFile}${describeDropped(dropped)}`);
  }

  /** A peer's group, verified here. */
  offer(group: Group): void {
    if (this.wants('peers') && this.pool.offer(group) > 0) this.isChanged = true;
  }

  /** At most `demonstrationsPerRound`, the best to imitate first. Changes nothing until they are `imitated`. @throws ComputeError */
  async choose(wish: DemonstrationWish): Promise<ChosenDemonstration[]> {
    const { config } = this.options;
    const { compute, ownSurprise } = wish;
    const wanted = config.demonstrationsPerRound;
    const chosen = await chooseDemonstrations(compute, this.candidates(wish), {
      count: wanted,
      ownSurprise,
      maxGap: config.maxSurpriseGap,
      maxTokens: config.microBatchTokens,
    });
    const missing = wanted - chosen.length;
    return this.wants('own') && missing > 0 ? [...chosen, ...this.ownRight(wish, missing)] : chosen;
  }

  /** The round that imitated them is durable. */
  imitated(round: number, { demonstrations: chosen, ownSurprise }: ImitatedRound): void {
    this.isChanged ||= chosen.length > 0;
    const at = Date.now();
    for (const { demonstration, question, surprise } of chosen) {
      const { source, origin, policyName, of, text } = demonstration;
      this.used[source]++;
      this.pool.used(demonstration);
      this.latest.unshift({
        round,
        at,
        source,
        origin,
        policyName: policyName === null ? null : safeLine(policyName, MAX_NAME_CHARS),
        task: of.kind === 'task' ? of.task : null,
        question: safeBlock(question, MAX_TEXT_CHARS),
        text: safeBlock(text, MAX_TEXT_CHARS),
        surprise,
        ownSurprise,
      });
    }
    this.latest.splice(LATEST_KEPT);
    if (chosen.length === 0 && this.hadSome)
      this.options.log.info(
        `No demonstrations for round ${round}: it was trained on rewards alone, as are the next until there are some`,
      );
    this.hadSome = chosen.length > 0;
  }

  report(limit: number): DemonstrationReport {
    const { method, demonstrationSources } = this.options.config;
    return {
      method,
      sources: [...demonstrationSources],
      waiting: this.pool.origins().sort((a, b) => b.count - a.count),
      file: this.file && {
        path: this.file.path,
        kept: this.file.demonstrations.length,
        dropped: Object.entries(this.file.dropped).map(([reason, counted]) => ({ reason, ...counted })),
      },
      used: { ...this.used },
      latest: this.latest.slice(0, limit),
    };
  }

  async close(): Promise<void> {
    clearInterval(this.saving);
    await this.save();
  }

  private wants(source: Config['demonstrationSources'][number]): boolean {
    const { method, demonstrationSources } = this.options.config;
    return method === 'bridge' && demonstrationSources.includes(source);
  }

  /** Of peers and file alike, in random order. */
  private candidates({ policy, random }: DemonstrationWish): DemonstrationTokens[] {
    const { config } = this.options;
    const fromFile = this.file?.demonstrations ?? [];
    const both = fromFile.length > 0 && this.pool.size > 0;
    const ofEach = (config.demonstrationsPerRound * CANDIDATES) / (both ? 2 : 1);
    const fitting = (drawn: readonly Demonstration[]): DemonstrationTokens[] =>
      drawn.flatMap((demonstration) => {
        const tokens = demonstrationTokens(policy, demonstration, config.maxNewTokens);
        if (!tokens) this.pool.drop(demonstration);
        return tokens ?? [];
      });
    const drawn = [
      ...fitting(this.pool.draw(ofEach, () => random.float())),
      ...fitting(random.sample(fromFile, ofEach)),
    ];
    return random.sample(drawn, drawn.length);
  }

  /** One of a group; they are in tokens already and their S is known. */
  private ownRight({ own, random, policy }: DemonstrationWish, most: number): ChosenDemonstration[] {
    const { config, publicKey } = this.options;
    const right = own.flatMap(({ instance, completions }) => {
      const best = completions.find(({ reward, ended }) => reward === 1 && ended);
      if (!best) return [];
      const demonstration: Demonstration = {
        source: 'own',
        origin: publicKey,
        policyName: null,
        of: { kind: 'task', task: instance.ref },
        text: best.text,
      };
      const tokens = demonstrationTokens(policy, demonstration, config.maxNewTokens);
      return tokens ? [{ ...tokens, surprise: -mean(best.behaviorLogprobs) }] : [];
    });
    return random.sample(right, most);
  }

  private async restore(): Promise<void> {
    const { path, log } = this.options;
    this.isRestored = true;
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (errnoCode(error) !== 'ENOENT')
        log.warn(`The demonstrations kept were not read, new ones are gathered: ${describeError(error)}`);
      return null;
    });
    if (text === null) return;
    const saved = parseSaved(text);
    const leftOut = saved && this.pool.restore(saved.pool);
    if (!saved || leftOut === null) {
      log.warn(`${path} is damaged; demonstrations are gathered anew`);
      return;
    }
    this.used = saved.used;
    this.latest = saved.latest;
    if (leftOut > 0) log.info(`${leftOut} demonstrations that were kept are right no more, or too many: left out`);
  }

  private async save(): Promise<void> {
    if (!this.isChanged || !this.isRestored) return;
    this.isChanged = false;
    const { path, log } = this.options;
    const saved = JSON.stringify({ pool: this.pool.save(), used: this.used, latest: this.latest });
    try {
      await writeFileAtomic(path, saved, { mode: 0o600 });
    } catch (error) {
      this.isChanged = true;
      log.warn(`The demonstrations were not written down: ${describeError(error)}`);
    }
  }
}

function parseSaved(text: string): z.infer<typeof savedSchema> | null {
  try {
    const parsed = savedSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
