/**
 * When a provider has failed often enough to be given up, whatever its trial said: a driver that takes the compute process
 * down, or blocks it, or computes NaN, would do so for ever. Counts over a window of time, for a GPU that dies every tenth round
 * is no better than one that dies in each. Pure but for the clock that is handed in; knows nothing of processes.
 */
import { isSameTarget, type ComputeTarget, type ProviderName } from '../../../native-models/runtime/provider.ts';

/** crashed: the process died. hung: it was ended for not answering. notFinite: NaN. failed: a call failed, again and again. */
export type TroubleKind = 'crashed' | 'hung' | 'notFinite' | 'failed';
export const troubleKinds: readonly TroubleKind[] = ['crashed', 'hung', 'notFinite', 'failed'];

export interface ProviderTrouble {
  provider: ProviderName;
  device: number;
  kind: TroubleKind;
  /** Failures within the window. */
  times: number;
  /** What was seen, in words. */
  detail: string;
  at: number;
}

export const TROUBLE_WINDOW_MS = 15 * 60_000;
export const FAILURES_TOLERATED = 3;

/** Failures of the target in use. */
export class FailureCount {
  private readonly now: () => number;
  private target: ComputeTarget | null = null;
  private times: number[] = [];

  constructor(now: () => number = Date.now) {
    this.now = now;
  }

  /** The trouble where this failure was one too many. A gradient that is never finite is told at its end, so once is enough. */
  failed(target: ComputeTarget, kind: TroubleKind, detail: string): ProviderTrouble | null {
    if (target.provider === 'cpu') return null; // there is nothing to fall back to
    const at = this.now();
    if (!this.target || !isSameTarget(this.target, target)) this.times = [];
    this.target = target;
    this.times = [...this.times.filter((time) => at - time < TROUBLE_WINDOW_MS), at];
    if (kind !== 'notFinite' && this.times.length < FAILURES_TOLERATED) return null;
    const trouble = { ...target, kind, times: this.times.length, detail, at };
    this.times = [];
    return trouble;
  }
}

const kindTexts: Record<TroubleKind, string> = {
  crashed: 'the compute process ended',
  hung: 'the compute process stopped answering',
  notFinite: 'it computed numbers that are not finite',
  failed: 'its calls failed',
};

/** One sentence for log, terminal and page. */
export function troubleText({ provider, kind, times, detail }: ProviderTrouble): string {
  const often = times === 1 ? '' : ` ${times} times within ${TROUBLE_WINDOW_MS / 60_000} minutes`;
  return `${provider} was given up: ${kindTexts[kind]}${often} (${detail}). It is tried again when its driver changes, or by waggle doctor --again`;
}
