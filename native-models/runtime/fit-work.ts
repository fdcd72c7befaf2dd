/**
 * Whether a policy's work fits into the memory there is, and with which shape it does: smaller passes, layers computed again for
 * their gradient, fewer rows decoded at once. All of them compute the same, so only time is paid. Knows nothing of how the memory
 * was counted.
 */
import {
  decodedRows,
  estimateMemory,
  type MemoryEstimate,
  type MemoryQuestion,
  type WorkShape,
} from './memory-estimate.ts';

/** tight: it may work, with nothing left for other programs. */
export type FitVerdict = 'fits' | 'tight' | 'tooLarge';
/** auto: where it does not fit otherwise with passes of a sensible size. */
export type RecomputeWish = 'auto' | 'on' | 'off';

export interface Fit {
  verdict: FitVerdict;
  /** As asked for, or smaller. */
  work: WorkShape;
  estimate: MemoryEstimate;
  /** What was asked for would have needed this. */
  askedBytes: number;
  availableBytes: number;
}

/** Shares of the available memory up to which it fits, and up to which it is tight: the estimate is right within 15 %. */
const FITS_UP_TO = 0.8;
const TIGHT_UP_TO = 0.97;

/** Passes below this are so short that computing layers again costs less time. */
const SENSIBLE_TOKENS = 256;
/** Writing fewer answers at once takes nearly as much longer, so that this comes late. */
const SENSIBLE_ROWS = 8;

export function fitWork(question: MemoryQuestion, availableBytes: number, recompute: RecomputeWish = 'auto'): Fit {
  const asked: WorkShape = recompute === 'on' ? { ...question.work, recompute: true } : question.work;
  const estimate = (work: WorkShape) => ({ work, estimate: estimateMemory({ ...question, work }) });
  let best = estimate(asked);
  const askedBytes = best.estimate.totalBytes;
  while (verdictOf(best.estimate.totalBytes, availableBytes) !== 'fits') {
    const smaller = smallerWork(question, asked, best.work, recompute);
    if (!smaller) break;
    best = estimate(smaller);
  }
  const verdict = verdictOf(best.estimate.totalBytes, availableBytes);
  return { verdict, ...best, askedBytes, availableBytes };
}

/** What costs least time goes first. Null where nothing is left to take away. */
function smallerWork(
  { config }: MemoryQuestion,
  asked: WorkShape,
  work: WorkShape,
  recompute: RecomputeWish,
): WorkShape | null {
  // One row is the least; a pass is never cut within it.
  const row = work.promptTokens + work.completionTokens;
  const halved = (least: number): WorkShape | null => {
    const microBatchTokens = Math.max(least, Math.ceil(work.microBatchTokens / 2));
    return microBatchTokens < work.microBatchTokens ? { ...work, microBatchTokens } : null;
  };
  const rows = decodedRows(config, work);
  const fewerRows = rows > 1 ? { ...work, decodedRows: Math.ceil(rows / 2) } : null;
  const again =
    recompute === 'auto' && work.recompute !== true
      ? { ...work, recompute: true, microBatchTokens: asked.microBatchTokens }
      : null;
  return (
    halved(Math.max(row, SENSIBLE_TOKENS)) ??
    again ??
    (rows > SENSIBLE_ROWS ? fewerRows : null) ??
    halved(row) ??
    fewerRows
  );
}

function verdictOf(bytes: number, availableBytes: number): FitVerdict {
  if (bytes <= FITS_UP_TO * availableBytes) return 'fits';
  return bytes <= TIGHT_UP_TO * availableBytes ? 'tight' : 'tooLarge';
}
