/**
 * The swarms this node has joined and changing over between them. Each command answers with the list as it is then; the list is
 * also asked for now and then while watched, because the command line can change it too.
 */
import type { CallName, Calls, JoinedSwarms, SwarmCard } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { loadRegularly, type Loading } from './loading.ts';
import { outcomeOf, type Outcome } from './outcome.ts';

const everyMs = 15_000;

export type SwarmCommand = Extract<CallName, 'joinSwarm' | 'createSwarm' | 'chooseSwarm' | 'leaveSwarm'>;

export class SwarmsController {
  joined = $state.raw<JoinedSwarms | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  /** The command under way. */
  busy = $state<SwarmCommand | null>(null);
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  watch(): () => void {
    const load = async (): Promise<void> => {
      this.joined = await this.#client.invoke('swarms', null);
    };
    return loadRegularly(this.#client, load, (loading) => (this.loading = loading), {
      everyMs,
      isWanted: () => this.busy === null,
    });
  }

  /** What a pasted text says; nothing is joined. */
  read(link: string): Promise<Outcome<{ swarm: SwarmCard; joined: boolean }>> {
    return outcomeOf(this.#client.invoke('readInvite', { link }));
  }

  async invite(id: string): Promise<Outcome<{ link: string }>> {
    return outcomeOf(this.#client.invoke('swarmInvite', { id }));
  }

  /** Null when another command is under way. */
  async command<K extends SwarmCommand>(name: K, args: Calls[K]['args']): Promise<Outcome<JoinedSwarms> | null> {
    if (this.busy !== null) return null;
    this.busy = name;
    const answer: Promise<JoinedSwarms> = this.#client.invoke(name, args);
    const outcome = await outcomeOf(answer);
    if (outcome.ok) this.joined = outcome.value;
    this.busy = null;
    return outcome;
  }
}
