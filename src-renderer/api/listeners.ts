/** Who listens to which event. Knows nothing of transports; tells its owner when an event gains its first or loses its last listener. */
import type { EventName, Events } from '../../src-main/engine/api.ts';

type Listener = (payload: never) => void;

export class EventListeners {
  readonly #byEvent = new Map<EventName, Set<Listener>>();
  readonly #onFirst: (event: EventName) => void;
  readonly #onLast: (event: EventName) => void;

  constructor(onFirst: (event: EventName) => void, onLast: (event: EventName) => void) {
    this.#onFirst = onFirst;
    this.#onLast = onLast;
  }

  get events(): EventName[] {
    return [...this.#byEvent.keys()];
  }

  add<K extends EventName>(event: K, listener: (payload: Events[K]) => void): () => void {
    let listeners = this.#byEvent.get(event);
    if (!listeners) {
      listeners = new Set();
      this.#byEvent.set(event, listeners);
      this.#onFirst(event);
    }
    listeners.add(listener);
    return () => {
      const current = this.#byEvent.get(event);
      if (!current?.delete(listener) || current.size > 0) return;
      this.#byEvent.delete(event);
      this.#onLast(event);
    };
  }

  emit(event: string, payload: unknown): void {
    for (const listener of this.#byEvent.get(event as EventName) ?? []) listener(payload as never);
  }
}
