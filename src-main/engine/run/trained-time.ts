/** How long this node has trained, as a stopwatch that is emptied into the history after each round. Knows nothing of states. */
export class TrainedTime {
  private readonly now: () => number;
  private since: number | null = null;
  private gatheredMs = 0;

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  start(): void {
    this.since ??= this.now();
  }
  stop(): void {
    this.gatheredMs = this.pendingMs;
    this.since = null;
  }

  /** What has not been taken yet. */
  get pendingMs(): number {
    return this.gatheredMs + (this.since === null ? 0 : this.now() - this.since);
  }

  takeMs(): number {
    const taken = this.pendingMs;
    this.gatheredMs = 0;
    if (this.since !== null) this.since = this.now();
    return taken;
  }
}
