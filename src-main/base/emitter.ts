/** Typed events with listeners that cannot hurt each other: one that throws is reported and the others still hear the event. */

export interface Emitter<Events> {
  /** Returns the function that ends the subscription; calling it twice is harmless. */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void;
  emit<K extends keyof Events>(name: K, event: Events[K]): void;
  /** How many listen, so that nobody prepares an event for no one. */
  count(name: keyof Events): number;
  clear(): void;
}

export function createEmitter<Events>(onListenerError: (error: unknown, name: keyof Events) => void): Emitter<Events> {
  type Listener = (event: never) => void;
  const listeners = new Map<keyof Events, Set<{ call: Listener }>>();
  return {
    on: (name, listener) => {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set);
      // An entry of its own: the same function may subscribe twice and leave once.
      const entry = { call: listener as Listener };
      set.add(entry);
      return () => void set.delete(entry);
    },
    emit: (name, event) => {
      for (const entry of [...(listeners.get(name) ?? [])]) {
        try {
          entry.call(event as never);
        } catch (error) {
          onListenerError(error, name);
        }
      }
    },
    count: (name) => listeners.get(name)?.size ?? 0,
    clear: () => listeners.clear(),
  };
}
