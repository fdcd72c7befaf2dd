/**
 * Whether a policy's work fits into the memory there is, and the largest micro-batch with which it does. Smaller ones compute
 * the same gradient in more passes, so only time is paid. Knows nothing of how the memory was counted.
 */
import { estimateMemory, type MemoryEstimate, type MemoryQuestion, type WorkShape } from './memory-estimate.ts';

/** tight: it may work, with nothing left for other programs. */
export type FitVerdict = 'fits' | 'tight' | 'tooLarge';

export interface Fit {
  verdict: FitVerdict;
  /** As asked for, or with a smaller micro-batch. */
  work: WorkShape;
  estimate: MemoryEstimate;
  /** What was asked for would have needed this. */
  askedBytes: number;
  availableBytes: number;
}

/** Shares of the available memory up to which it fits, and up to which it is tight: the estimate is right within 15 %. */
const FITS_UP_TO = 0.8;
const TIGHT_UP_TO = 0.97;

export function fitWork(question: MemoryQuestion, availableBytes: number): Fit {
  const { promptTokens, completionTokens } = question.work;
  const asked = estimateMemory(question);
  let best = { work: question.work, estimate: asked };
  while (verdictOf(best.estimate.totalBytes, availableBytes) !== 'fits') {
    // One row is the least; a pass is never cut within it.
    const microBatchTokens = Math.max(promptTokens + completionTokens, Math.ceil(best.work.microBatchTokens / 2));
    if (microBatchTokens >= best.work.microBatchTokens) break;
    const work = { ...best.work, microBatchTokens };
    best = { work, estimate: estimateMemory({ ...question, work }) };
  }
  const verdict = verdictOf(best.estimate.totalBytes, availableBytes);
  return { verdict, ...best, askedBytes: asked.totalBytes, availableBytes };
}

function verdictOf(bytes: number, availableBytes: number): FitVerdict {
  if (bytes <= FITS_UP_TO * availableBytes) return 'fits';
  return bytes <= TIGHT_UP_TO * availableBytes ? 'tight' : 'tooLarge';
}
