/**
 * Which provider computes: the owner's choice, or the fastest one that computed correctly in its trial. Verdicts are kept in the
 * data folder and hold until runtime, driver or machine change; a GPU that crashed is thus not tried at every start.
 */
import { readFile } from 'node:fs/promises';
import { chooseProvider, runProviderTrial, type ProviderVerdict } from '../../native-models/runtime/provider-trial.ts';
import type { ProviderName } from '../../native-models/runtime/provider.ts';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Logger } from '../base/log.ts';

export interface ProviderChoiceOptions {
  wanted: 'auto' | ProviderName;
  /** File of the kept verdicts. */
  path: string;
  /** Changes when a verdict may no longer hold. */
  machineKey: () => Promise<string>;
  log: Logger;
  trial?: typeof runProviderTrial;
}

const TRIAL_TIMEOUT_MS = 30_000;

export class ProviderChoice {
  private readonly options: ProviderChoiceOptions;
  private known: ProviderVerdict[] = [];

  constructor(options: ProviderChoiceOptions) {
    this.options = options;
  }

  get verdicts(): readonly ProviderVerdict[] {
    return this.known;
  }

  async choose(): Promise<ProviderName> {
    const { wanted, log } = this.options;
    if (wanted !== 'auto') return wanted;
    const key = await this.options.machineKey();
    if (this.known.length === 0) this.known = await this.read(key);
    if (this.known.length === 0) {
      log.info('Trying each provider once: a training step and a decode step, compared with the CPU');
      this.known = await (this.options.trial ?? runProviderTrial)({ timeoutMs: TRIAL_TIMEOUT_MS });
      await this.write(key);
    }
    const chosen = chooseProvider(this.known, 'auto');
    this.known = this.known.map((verdict) => ({
      ...verdict,
      verdict: verdict.provider === chosen ? 'used' : verdict.verdict === 'used' ? 'correct' : verdict.verdict,
    }));
    return chosen;
  }

  private async read(key: string): Promise<ProviderVerdict[]> {
    try {
      const kept = JSON.parse(await readFile(this.options.path, 'utf8')) as { key?: unknown; verdicts?: unknown };
      return kept.key === key && Array.isArray(kept.verdicts) ? (kept.verdicts as ProviderVerdict[]) : [];
    } catch {
      return []; // Missing or damaged: the trial is run again.
    }
  }

  private async write(key: string): Promise<void> {
    try {
      await writeFileAtomic(this.options.path, JSON.stringify({ key, verdicts: this.known }, null, 2));
    } catch (error) {
      this.options.log.warn(
        `The provider verdicts could not be kept, the trial will run again at the next start: ${String(error)}`,
      );
    }
  }
}
