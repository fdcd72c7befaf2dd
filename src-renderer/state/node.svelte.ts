/** The node's status, live, and the three commands that change its run state. */
import type { ApiFault, Events, NodeStatus } from '../../src-main/engine/api.ts';
import type { LinkedClient } from '../api/connection.ts';
import { toFault } from '../api/fault.ts';
import { loadWhenOpen, type Loading } from './loading.ts';
import { withSample, type TrafficSample } from './traffic.ts';

export type Command = 'pause' | 'resume' | 'finish';

export class NodeController {
  status = $state.raw<NodeStatus | null>(null);
  /** Local time at which `status` came, ms since epoch. */
  receivedAt = $state(0);
  /** Of the last minute. */
  traffic = $state.raw<readonly TrafficSample[]>([]);
  progress = $state.raw<Events['progress'] | null>(null);
  loading = $state.raw<Loading>({ name: 'loading' });
  /** The command under way. */
  busy = $state<Command | null>(null);
  /** Why the last command failed; null after one succeeded. */
  commandFault = $state.raw<ApiFault | null>(null);
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
  }

  start(): () => void {
    const ends = [
      this.#client.subscribe('status', (status) => this.#accept(status)),
      this.#client.subscribe('progress', (progress) => (this.progress = progress)),
      loadWhenOpen(
        this.#client,
        async () => this.#accept(await this.#client.invoke('status', null)),
        (loading) => (this.loading = loading),
      ),
    ];
    return () => ends.forEach((end) => end());
  }

  async command(name: Command): Promise<void> {
    if (this.busy) return;
    this.busy = name;
    try {
      const state = await this.#client.invoke(name, null);
      this.commandFault = null;
      if (this.status) this.status = { ...this.status, state };
    } catch (error) {
      this.commandFault = toFault(error);
    } finally {
      this.busy = null;
    }
  }

  dismissFault(): void {
    this.commandFault = null;
  }

  #accept(status: NodeStatus): void {
    this.status = status;
    this.receivedAt = Date.now();
    const { name: swarm, bytesIn, bytesOut } = status.swarm;
    this.traffic = withSample(this.traffic, { at: this.receivedAt, swarm, bytesIn, bytesOut });
    this.loading = { name: 'ready' };
    if (this.progress && this.progress.stage !== status.stage) this.progress = null;
  }
}
