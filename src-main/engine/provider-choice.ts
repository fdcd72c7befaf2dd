/**
 * Which provider computes: the owner's choice, or the fastest one that computed correctly in its trial. Verdicts are kept in the
 * data folder and hold until runtime, driver or machine change; a GPU that crashed is thus not tried at every start.
 * Invariant: verdicts are kept only where the CPU came out correct: else the trial itself failed, and is run again.
 */
import { readFile } from 'node:fs/promises';
import {
  chooseProvider,
  runProviderTrial,
  type ProviderVerdict,
  type SpawnTrial,
} from '../../native-models/runtime/provider-trial.ts';
import type { ProviderName } from '../../native-models/runtime/provider.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Logger } from '../base/log.ts';
import { parseVerdicts, verdictsText, withGpuName } from './kept-verdicts.ts';

export interface ProviderChoiceOptions {
  wanted: 'auto' | ProviderName;
  /** File of the kept verdicts. */
  path: string;
  /** Changes when a verdict may no longer hold. */
  machineKey: () => Promise<string>;
  /** Names of the graphics cards of this machine. */
  gpuNames: () => Promise<string[]>;
  log: Logger;
  /** How a trial process is made; plain Node forks. */
  spawn?: SpawnTrial;
  trial?: typeof runProviderTrial;
}

const TRIAL_TIMEOUT_MS = 30_000;

export class ProviderChoice {
  private readonly options: ProviderChoiceOptions;
  private known: readonly ProviderVerdict[] = [];
  private readonly ending = new AbortController();

  constructor(options: ProviderChoiceOptions) {
    this.options = options;
  }

  get verdicts(): readonly ProviderVerdict[] {
    return this.known;
  }

  async choose(): Promise<ProviderName> {
    const { wanted } = this.options;
    if (wanted !== 'auto') return wanted;
    const key = await this.options.machineKey();
    if (this.known.length === 0) this.known = await this.read(key);
    if (this.known.length === 0) this.known = await this.tryAll(key);
    const chosen = chooseProvider(this.known, 'auto');
    this.known = this.known.map((verdict) => ({
      ...verdict,
      verdict: verdict.provider === chosen ? 'used' : verdict.verdict === 'used' ? 'correct' : verdict.verdict,
    }));
    return chosen;
  }

  /** Ends a trial that is going on; nothing of it is kept. */
  end(): void {
    this.ending.abort();
  }

  private async tryAll(key: string): Promise<readonly ProviderVerdict[]> {
    const { log, spawn, trial = runProviderTrial } = this.options;
    log.info('Trying each provider once: a training step and a decode step, compared with the CPU');
    const { signal } = this.ending;
    const tried = await trial({ timeoutMs: TRIAL_TIMEOUT_MS, signal, ...(spawn === undefined ? {} : { spawn }) });
    if (signal.aborted) return [];
    const verdicts = withGpuName(tried, await this.options.gpuNames());
    if (verdicts.some(({ provider, verdict }) => provider === 'cpu' && verdict === 'correct'))
      await this.write(key, verdicts);
    else log.warn('The CPU did not come through its trial, so the verdicts are not kept');
    return verdicts;
  }

  /** Empty where there is none for this machine: missing or damaged, the trial is run again. */
  private async read(key: string): Promise<readonly ProviderVerdict[]> {
    try {
      return parseVerdicts(await readFile(this.options.path, 'utf8'), key);
    } catch {
      return [];
    }
  }

  private async write(key: string, verdicts: readonly ProviderVerdict[]): Promise<void> {
    try {
      await writeFileAtomic(this.options.path, verdictsText(key, verdicts));
    } catch (error) {
      this.options.log.warn(
        `The provider verdicts could not be kept, the trial will run again at the next start: ${String(error)}`,
      );
    }
  }
}
