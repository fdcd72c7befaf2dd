/**
 * The policy that the node trains: which one, and its ledger and history opened for it. Resolved only when the compute process is
 * started, since a folder that cannot be read is no reason for the node not to run. Knows nothing of run states or processes.
 *
 * Invariant: ledger and history are always those of `home`; between two policies there is no home.
 */
import { asDiskFull } from '../../base/atomic-file.ts';
import type { Logger } from '../../base/log.ts';
import type { ChosenPolicy } from '../../models/policy-choice.ts';
import type { Store } from '../../store/store.ts';
import { RedoLog } from '../../train/redo-log.ts';
import { openPolicyHome, redoLogOf, type PolicyHome } from './policy-home.ts';
import type { RedoEntry, RoundLedger } from '../rounds/round-ledger.ts';

export interface PolicySlotOptions {
  chosen: ChosenPolicy;
  checkpointsRoot: string;
  ledger: Pick<RoundLedger, 'open'>;
  store: Pick<Store, 'usePolicy'>;
  log: Logger;
}

export class PolicySlot {
  private readonly options: PolicySlotOptions;
  private opened: { home: PolicyHome; redo: RedoLog<RedoEntry> } | null = null;
  chosen: ChosenPolicy;

  constructor(options: PolicySlotOptions) {
    this.options = options;
    this.chosen = options.chosen;
  }

  /** Null until the policy's folder has been read. */
  get home(): PolicyHome | null {
    return this.opened?.home ?? null;
  }

  /** Does nothing where it is open. @throws PolicyError, StoreError, DiskFullError, the system's errors */
  async open(): Promise<PolicyHome> {
    if (this.opened) return this.opened.home;
    const { checkpointsRoot, ledger, store, log } = this.options;
    const full = async (error: unknown): Promise<never> => {
      throw await asDiskFull(error, checkpointsRoot);
    };
    const home = await openPolicyHome(this.chosen.directory, checkpointsRoot).catch(full);
    const { log: redo, entries, damagedBytes } = await RedoLog.open<RedoEntry>(redoLogOf(home)).catch(full);
    if (damagedBytes > 0)
      log.warn(`The last ${damagedBytes} bytes of the redo log were damaged; what they held is trained anew`);
    try {
      const { identity, name, directory, ownsEarlier } = home;
      store.usePolicy({ identity, name, directory, claim: ownsEarlier });
      ledger.open({ policy: { identity, name }, redo, entries, directory: home.checkpoints });
    } catch (error) {
      await redo.close();
      throw error;
    }
    this.opened = { home, redo };
    return home;
  }

  /** Another one from the next `open` on. */
  async moveTo(chosen: ChosenPolicy): Promise<void> {
    await this.close();
    this.chosen = chosen;
  }

  async close(): Promise<void> {
    const { opened } = this;
    this.opened = null;
    await opened?.redo.close();
  }
}
