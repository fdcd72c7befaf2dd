/**
 * How large the work of the compute process is made: as the settings ask where that fits into the memory there is, else smaller
 * (native-models/runtime/fit-work.ts); and smaller still where memory ran out nevertheless. Everybody who makes passes reads their
 * size from `config` here. Knows nothing of rounds, processes or run states.
 *
 * Invariant: within one policy the work never grows again, so that what ran out of memory once is not tried a second time.
 */
import type { PolicyConfig } from '../../../native-models/policy/policy-config.ts';
import { fitWork, type Fit } from '../../../native-models/runtime/fit-work.ts';
import { decodedRows, type WorkShape } from '../../../native-models/runtime/memory-estimate.ts';
import type { ProviderName } from '../../../native-models/runtime/provider.ts';
import { WaggleError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Config } from '../../config.ts';
import { memoryFor, questionFor, readPolicyConfig } from '../../models/model-fit.ts';
import type { RoundStage, WorkStatus } from '../api.ts';

export interface WorkFitOptions {
  config: Config;
  log: Logger;
  /** Free memory of this machine, less what other programs are to keep. */
  freeBytes?: () => number;
  /** What a graphics card that computes has free; null where that is not known. */
  freeCardBytes?: () => Promise<number | null>;
  onChange: () => void;
}

/** What the compute process has to be told. */
export interface FittedWork {
  recompute: boolean;
  /** Most rows decoded at once; null leaves it to the cache's own limit. */
  decodedRows: number | null;
}

export class WorkFit {
  /** The settings, with the size of passes as it is now. */
  readonly config: Config;
  private readonly options: WorkFitOptions;
  private policy: { directory: string; config: PolicyConfig } | null = null;
  private fit: Fit | null = null;
  /** Where the work was fitted into. */
  private place: 'process' | 'card' = 'process';
  /** Null: as the settings ask. */
  private passTokens: number | null = null;
  private rows: number | null = null;
  private recompute: boolean;
  private shortages = 0;

  constructor(options: WorkFitOptions) {
    this.options = options;
    const { config } = options;
    this.recompute = config.recomputeActivations === 'on';
    this.config = Object.defineProperty({ ...config }, 'microBatchTokens', {
      get: () => this.passTokens ?? config.microBatchTokens,
      enumerable: true,
    });
  }

  /**
   * Before a policy is opened. For a graphics card the same is reckoned where it is known what it has free, but never refused: what
   * drivers take besides is not known, and a card that cannot is given up by what it then fails at.
   * @throws WaggleError `notEnoughMemory` where the smallest work does not fit into main memory, on the CPU
   */
  async prepare(directory: string, provider: ProviderName): Promise<FittedWork> {
    const policyConfig = await readPolicyConfig(directory).catch(() => null); // opening it says best what is wrong
    if (policyConfig && this.policy?.directory !== directory) this.startAnew(directory, policyConfig);
    this.place = provider === 'cpu' ? 'process' : 'card';
    const free = provider === 'cpu' ? this.freeBytes() : await this.options.freeCardBytes?.();
    if (policyConfig && typeof free === 'number') this.fitInto(free);
    else this.fit = null;
    this.options.onChange();
    return { recompute: this.recompute, decodedRows: this.rows };
  }

  private startAnew(directory: string, config: PolicyConfig): void {
    this.policy = { directory, config };
    this.passTokens = null;
    this.rows = null;
    this.recompute = this.options.config.recomputeActivations === 'on';
  }

  /** That training may use: what the settings allow, else what is free. */
  freeBytes(): number {
    return memoryFor(this.options.config, this.options.freeBytes);
  }

  private fitInto(freeBytes: number): void {
    const { config, log } = this.options;
    const question = { ...questionFor(this.policy!.config, this.config), place: this.place };
    const { work } = question;
    const present = { ...work, ...(this.rows === null ? {} : { decodedRows: this.rows }) };
    const wish = this.recompute ? 'on' : config.recomputeActivations;
    this.fit = fitWork({ ...question, work: present }, freeBytes, wish);
    if (this.fit.verdict === 'tooLarge' && this.place === 'process')
      throw notEnoughMemory(this.fit, question.adapter === null);
    this.take(this.fit.work);
    const { text } = this.status();
    if (text !== null) log.warn(text);
  }

  private take(work: WorkShape): void {
    if (work.microBatchTokens < this.options.config.microBatchTokens) this.passTokens = work.microBatchTokens;
    this.recompute = work.recompute ?? false;
    this.rows = work.decodedRows ?? null;
  }

  /** Memory ran out in a pass, and smaller ones went through. */
  passesShrank(maxTokens: number, cause: Error): void {
    this.shortages++;
    this.passTokens = Math.min(this.config.microBatchTokens, maxTokens);
    this.options.log.warn(`${cause.message}. Passes are of at most ${this.passTokens} tokens from now on.`);
    this.options.onChange();
  }

  /**
   * The process could not go on for want of memory while it was at `stage`: makes that stage's work smaller for the next start.
   * @returns false where it is as small as can be
   */
  ranOut(stage: RoundStage, cause: string): boolean {
    this.shortages++;
    const change = stage === 'generate' ? this.fewerRows() : this.smallerPasses();
    if (change !== null) this.options.log.warn(`${cause}. ${change}`);
    this.options.onChange();
    return change !== null;
  }

  private fewerRows(): string | null {
    const { policy, config } = this;
    if (!policy) return null;
    const { work } = questionFor(policy.config, config);
    const rows = this.rows ?? decodedRows(policy.config, work);
    if (rows <= 1) return null;
    this.rows = Math.ceil(rows / 2);
    return `${this.rows} answers are written at once from now on.`;
  }

  private smallerPasses(): string | null {
    const { policy, config } = this;
    const row = policy ? questionFor(policy.config, config).work : null;
    const least = row ? row.promptTokens + row.completionTokens : 1;
    if (config.microBatchTokens > least) {
      this.passTokens = Math.max(least, Math.floor(config.microBatchTokens / 2));
      return `Passes are of at most ${this.passTokens} tokens from now on.`;
    }
    if (this.recompute || config.recomputeActivations === 'off') return null;
    this.recompute = true;
    return 'Layers are computed again for their gradient from now on.';
  }

  status(): WorkStatus {
    const { config, fit, passTokens, rows, recompute, shortages } = this;
    return {
      passTokens: config.microBatchTokens,
      askedPassTokens: this.options.config.microBatchTokens,
      recompute,
      decodedRows: rows,
      needBytes: fit?.estimate.totalBytes ?? null,
      freeBytes: fit?.availableBytes ?? null,
      isTight: fit?.verdict === 'tight',
      shortages,
      text: workText(
        [
          ...(passTokens === null ? [] : [`passes are of at most ${passTokens} tokens`]),
          ...(recompute && this.options.config.recomputeActivations !== 'on'
            ? ['layers are computed again for their gradient']
            : []),
          ...(rows === null ? [] : [`at most ${rows} answers are written at once`]),
        ],
        { fit, shortages, onCard: this.place === 'card' },
      ),
    };
  }
}

/** Null where the work is what the settings ask for, with room to spare. */
function workText(
  changes: readonly string[],
  { fit, shortages, onCard }: { fit: Fit | null; shortages: number; onCard: boolean },
): string | null {
  const memory = onCard ? "The graphics card's memory" : 'Memory';
  const need = fit ? `about ${sizeOf(fit.estimate.totalBytes)} of ${sizeOf(fit.availableBytes)}` : null;
  const isTooLarge = fit?.verdict === 'tooLarge' ? '; it may not fit, a smaller model would' : '';
  if (changes.length > 0) {
    const why = shortages > 0 ? `${memory} ran out` : `${memory} is short`;
    return `${why}: ${changes.join(', ')}${need ? `, which takes ${need}` : ''}${isTooLarge}`;
  }
  return fit === null || fit.verdict === 'fits' ? null : `${memory} is tight: training takes ${need}${isTooLarge}`;
}

function notEnoughMemory({ estimate, availableBytes: free }: Fit, isFull: boolean): WaggleError {
  const need = estimate.totalBytes;
  return new WaggleError({
    code: 'notEnoughMemory',
    message: `Training this policy needs about ${sizeOf(need)} of memory even in the smallest steps, ${sizeOf(free)} are free.`,
    fix: `${isFull ? 'Train an adapter (--adapter lora), ask' : 'Ask'} for shorter answers (--max-new-tokens), take a smaller model, or close other programs; --max-memory-megabytes sets how much may be used.`,
    values: { needBytes: need, freeBytes: free },
  });
}

function sizeOf(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
