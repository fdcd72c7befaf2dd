/**
 * Who this node is, and changing what others see of it. The 24 words pass through on their way to the one component that shows
 * them and are kept nowhere here.
 */
import type { Calls, IdentityReport } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadRegularly, type Loading } from './loading.ts';
import { outcomeOf, type Outcome } from './outcome.ts';

export type ProfileNames = Calls['previewProfile']['result'];
const everyMs = 30_000;

export class IdentityController {
  report = $state.raw<IdentityReport | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const load = async (): Promise<void> => {
      this.report = await this.#client.invoke('identity', null);
    };
    return loadRegularly(this.#client, load, (loading) => (this.loading = loading), { everyMs });
  }

  preview(names: ProfileNames): Promise<Outcome<ProfileNames>> {
    return outcomeOf(this.#client.invoke('previewProfile', names));
  }

  async rename(names: ProfileNames): Promise<Outcome<IdentityReport>> {
    const outcome = await outcomeOf(this.#client.invoke('setProfile', names));
    if (outcome.ok) this.report = outcome.value;
    return outcome;
  }

  words(): Promise<Outcome<{ words: string[] }>> {
    return outcomeOf(this.#client.invoke('backupWords', null));
  }

  restore(wanted: Calls['restoreIdentity']['args']): Promise<Outcome<{ publicKey: string }>> {
    return outcomeOf(this.#client.invoke('restoreIdentity', wanted));
  }
}
