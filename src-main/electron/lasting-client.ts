/**
 * A client that outlives the node process it speaks to: calls wait a while for a node to be attached, and subscriptions
 * move over to the next one. So a window opened before the node is up, or open while it restarts, needs no special code.
 * Knows nothing of processes or Electron. Invariant: a listener hears each event of the attached node once.
 */
import type { CallName, Calls, EventName, Events, NodeClient } from '../engine/api.ts';
import { NodeFault } from '../engine/serve/faults.ts';

interface Subscription {
  follow(client: NodeClient): void;
  release(): void;
}

export interface LastingClient {
  client: NodeClient;
  /** The node to speak to from now on; null while there is none. */
  attach(next: NodeClient | null): void;
}

function nodeAway(waitMs: number): NodeFault {
  return new NodeFault({
    code: 'nodeAway',
    message: `The node did not come up within ${String(Math.round(waitMs / 1000))} seconds.`,
    fix: 'Look into the log for the reason; quit and start the app again.',
  });
}

export function createLastingClient(waitMs = 30_000): LastingClient {
  let current: NodeClient | null = null;
  const waiting = new Set<(client: NodeClient) => void>();
  const subscriptions = new Set<Subscription>();

  const attached = () =>
    new Promise<NodeClient>((resolve, reject) => {
      if (current) {
        resolve(current);
        return;
      }
      const timer = setTimeout(() => {
        waiting.delete(arrive);
        reject(nodeAway(waitMs));
      }, waitMs);
      const arrive = (client: NodeClient) => {
        clearTimeout(timer);
        waiting.delete(arrive);
        resolve(client);
      };
      waiting.add(arrive);
    });

  return {
    client: {
      async invoke<K extends CallName>(name: K, args: Calls[K]['args']) {
        const client = await attached();
        return client.invoke(name, args);
      },
      subscribe<K extends EventName>(name: K, listener: (event: Events[K]) => void) {
        let unsubscribe: (() => void) | null = null;
        const subscription: Subscription = {
          follow: (client) => (unsubscribe = client.subscribe(name, listener)),
          release: () => {
            unsubscribe?.();
            unsubscribe = null;
          },
        };
        subscriptions.add(subscription);
        if (current) subscription.follow(current);
        return () => {
          subscriptions.delete(subscription);
          subscription.release();
        };
      },
    },
    attach(next) {
      for (const subscription of subscriptions) subscription.release();
      current = next;
      if (!next) return;
      for (const subscription of subscriptions) subscription.follow(next);
      for (const arrive of [...waiting]) arrive(next);
    },
  };
}
