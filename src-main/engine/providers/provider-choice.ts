/**
 * Which provider computes, and on which of its devices: the owner's choice, or the fastest one that computed correctly in its
 * trial. One that was given up in use (provider-trouble.ts) is passed over, also where the owner chose it. Verdicts and troubles
 * are kept in the data folder and hold until runtime, driver or machine change, or the owner asks again: a GPU that crashed is
 * thus not tried at every start.
 * Invariant: verdicts are kept only where the CPU came out correct: else the trial itself failed, and is run again.
 */
import { readFile } from 'node:fs/promises';
import {
  chooseTarget,
  runProviderTrial,
  type ProviderTrialOptions,
  type ProviderVerdict,
  type SpawnTrial,
} from '../../../native-models/runtime/provider-trial.ts';
import {
  CPU_TARGET,
  isSameTarget,
  type ComputeTarget,
  type ProviderName,
} from '../../../native-models/runtime/provider.ts';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import type { Logger } from '../../base/log.ts';
import { keptText, NOTHING_KEPT, parseKept, withGpuName, withTroubles, type Kept } from './kept-verdicts.ts';
import { troubleText, type ProviderTrouble } from './provider-trouble.ts';

/** What a trial needs to know of the machine. */
export interface TriedMachine {
  /** Changes when a verdict may no longer hold. */
  key: string;
  /** Names of the graphics cards. */
  gpuNames: readonly string[];
  /** How many devices each provider is to be tried on. */
  devices: NonNullable<ProviderTrialOptions['devices']>;
}

export interface ProviderChoiceOptions {
  wanted: 'auto' | ProviderName;
  /** Of a wanted provider's devices; left out, its first. */
  wantedDevice?: number;
  /** File of the kept verdicts. */
  path: string;
  machine: () => Promise<TriedMachine>;
  log: Pick<Logger, 'info' | 'warn'>;
  /** How a trial process is made; plain Node forks. */
  spawn?: SpawnTrial;
  trial?: typeof runProviderTrial;
}

const TRIAL_TIMEOUT_MS = 30_000;

export class ProviderChoice {
  private readonly options: ProviderChoiceOptions;
  /** Null until the file was read. */
  private kept: Kept | null = null;
  private chosen: ComputeTarget | null = null;
  private trying: Promise<void> | null = null;
  private readonly ending = new AbortController();

  constructor(options: ProviderChoiceOptions) {
    this.options = options;
  }

  /** As people see them, the one in use named. */
  get verdicts(): readonly ProviderVerdict[] {
    const { verdicts, troubles } = this.kept ?? NOTHING_KEPT;
    const { chosen } = this;
    return withTroubles(verdicts, troubles).map((row) => ({
      ...row,
      verdict: row.verdict === 'correct' && chosen !== null && isSameTarget(row, chosen) ? 'used' : row.verdict,
    }));
  }

  /** Of providers that were given up and are passed over now. */
  get troubles(): readonly ProviderTrouble[] {
    return this.kept?.troubles ?? [];
  }

  get isTrying(): boolean {
    return this.trying !== null;
  }

  /** Reads what is kept, or tries all. */
  async choose(): Promise<ComputeTarget> {
    const { wanted, wantedDevice = 0 } = this.options;
    await this.trying;
    if (wanted === 'cpu') return CPU_TARGET;
    const kept = (this.kept ??= await this.read());
    const own: ComputeTarget | null = wanted === 'auto' ? null : { provider: wanted, device: wantedDevice };
    if (own && !kept.troubles.some((trouble) => isSameTarget(trouble, own))) return (this.chosen = own);
    if (kept.verdicts.length === 0) await this.tryOnce();
    const { verdicts, troubles } = this.kept;
    this.chosen = chooseTarget(withTroubles(verdicts, troubles));
    return this.chosen;
  }

  /** From now on, and after a restart, this provider is passed over. */
  async giveUp(trouble: ProviderTrouble): Promise<void> {
    const { verdicts, troubles } = (this.kept ??= await this.read());
    this.options.log.warn(troubleText(trouble));
    this.kept = { verdicts, troubles: [...troubles.filter((each) => !isSameTarget(each, trouble)), trouble] };
    await this.write((await this.options.machine()).key, this.kept);
  }

  /** What is kept, where it holds for this machine; empty otherwise. Tries nothing. */
  async recall(): Promise<readonly ProviderVerdict[]> {
    this.kept ??= await this.read();
    return this.verdicts;
  }

  /** Forgets all and tries every provider, once `ready`; a choice meanwhile waits for it. */
  async again(ready: Promise<void> = Promise.resolve()): Promise<readonly ProviderVerdict[]> {
    if (!this.trying) {
      this.kept = NOTHING_KEPT;
      this.chosen = null;
    }
    await this.tryOnce(ready);
    return this.verdicts;
  }

  /** Ends a trial that is going on; nothing of it is kept. */
  end(): void {
    this.ending.abort();
  }

  private tryOnce(ready: Promise<void> = Promise.resolve()): Promise<void> {
    this.trying ??= ready.then(() => this.tryAll()).finally(() => (this.trying = null));
    return this.trying;
  }

  private async tryAll(): Promise<void> {
    const { log, spawn, trial = runProviderTrial } = this.options;
    const { key, gpuNames, devices } = await this.options.machine();
    const { signal } = this.ending;
    log.info('Trying each provider once: a training step and a decode step, compared with the CPU');
    const tried = await trial({
      timeoutMs: TRIAL_TIMEOUT_MS,
      signal,
      devices,
      ...(spawn === undefined ? {} : { spawn }),
    });
    if (signal.aborted) return;
    this.kept = { verdicts: withGpuName(tried, gpuNames), troubles: this.kept?.troubles ?? [] };
    if (tried.some(({ provider, verdict }) => provider === 'cpu' && verdict === 'correct'))
      await this.write(key, this.kept);
    else log.warn('The CPU did not come through its trial, so the verdicts are not kept');
  }

  /** Nothing where there is none for this machine: missing or damaged, the trial is run again. */
  private async read(): Promise<Kept> {
    try {
      const text = await readFile(this.options.path, 'utf8');
      return parseKept(text, (await this.options.machine()).key);
    } catch {
      return NOTHING_KEPT;
    }
  }

  private async write(key: string, kept: Kept): Promise<void> {
    try {
      await writeFileAtomic(this.options.path, keptText(key, kept));
    } catch (error) {
      this.options.log.warn(
        `The provider verdicts could not be kept, the trial will run again at the next start: ${String(error)}`,
      );
    }
  }
}
