/** Rate and time left of something that advances in bytes, over a sliding window. The clock is handed in. */

export interface MeteredProgress {
  doneBytes: number;
  totalBytes: number;
  /** Null until there is something to say. */
  bytesPerSecond: number | null;
  remainingMs: number | null;
}

const WINDOW_MS = 10_000;
const LEAST_MS = 500;

export class ProgressMeter {
  private readonly totalBytes: number;
  private readonly nowMs: () => number;
  private readonly marks: { atMs: number; doneBytes: number }[] = [];

  constructor(totalBytes: number, nowMs: () => number) {
    this.totalBytes = totalBytes;
    this.nowMs = nowMs;
  }

  /** Bytes that were there before do not count as speed: the first call sets the start. */
  update(doneBytes: number): MeteredProgress {
    const atMs = this.nowMs();
    if (doneBytes < (this.marks.at(-1)?.doneBytes ?? 0)) this.marks.length = 0; // it began anew
    const last = this.marks.at(-1);
    if (!last || atMs - last.atMs >= 100) this.marks.push({ atMs, doneBytes });
    while (this.marks.length > 2 && atMs - this.marks[1]!.atMs > WINDOW_MS) this.marks.shift();
    const first = this.marks[0]!;
    const elapsedMs = atMs - first.atMs;
    const rate = elapsedMs >= LEAST_MS ? ((doneBytes - first.doneBytes) / elapsedMs) * 1000 : null;
    const left = this.totalBytes - doneBytes;
    return {
      doneBytes,
      totalBytes: this.totalBytes,
      bytesPerSecond: rate,
      remainingMs: left === 0 ? 0 : rate === null || rate === 0 ? null : (left / rate) * 1000,
    };
  }
}
