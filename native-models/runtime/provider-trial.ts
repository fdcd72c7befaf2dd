/**
 * Tries every bundled provider in a process of its own and compares it with the CPU: a provider proves itself before it is
 * used, since a GPU kernel may return wrong gradients without a word, and a driver may crash or hang. Loads no runtime itself.
 */
import { fork } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ComputeChannel, ComputeExit } from './compute-host.ts';
import { isTrialReport, type TrialReport, type TrialRequest } from './provider-trial-protocol.ts';
import { CPU_TARGET, type ComputeTarget, type ProviderName } from './provider.ts';

export interface ProviderVerdict {
  provider: ProviderName;
  /** See ComputeTarget. */
  device: number;
  adapter: string | null;
  /** `used` is set by whoever chooses; unstable: came through its trial, then failed in use. */
  verdict: 'used' | 'correct' | 'wrong' | 'failed' | 'unstable' | 'unavailable';
  /** Largest relative error against the CPU's loss, gradients, updated weights and decoded log-probs; null when it did not run. */
  maxRelativeError: number | null;
  /** Null where it was not timed, or too slow to be timed. */
  trainStepMs: number | null;
  decodeStepMs: number | null;
  /** Most that the trial's process held in main memory; null where it did not come to its end. */
  peakBytes: number | null;
  /** What happened, in words. */
  detail: string;
  testedAt: number;
}
/** Starts a trial process; it is sent one request and answers by messages. */
export type SpawnTrial = (provider: ProviderName) => ComputeChannel;
export interface ProviderTrialOptions {
  /** Default: all that this platform's runtime brings. */
  providers?: readonly ProviderName[];
  /** How many devices of a provider to try; one where it says nothing. */
  devices?: Partial<Record<ProviderName, number>>;
  /** For one provider's numbers. */
  timeoutMs?: number;
  /** For its timing after that: one that needs longer for a few steps is of no use; it took part, that is all. */
  timingTimeoutMs?: number;
  spawn?: SpawnTrial;
  /** Ends the trial: the process at work is killed, no other is started, and what was not tried has no verdict. */
  signal?: AbortSignal;
}

/** TF32 and other fast paths stay below; a wrong kernel does not. */
const LARGEST_ERROR = 1e-2;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_TIMING_TIMEOUT_MS = 20_000;
/** Decoding takes most of a round: a training step counts as much as this many decoding steps. */
const DECODE_STEPS_PER_TRAIN_STEP = 16;

type Limits = Required<Pick<ProviderTrialOptions, 'timeoutMs' | 'timingTimeoutMs'>>;
interface Attempt {
  target: ComputeTarget;
  numbers: Extract<TrialReport, { kind: 'numbers' }> | null;
  times: Extract<TrialReport, { kind: 'times' }> | null;
  /** Why it ended early; null when all was reported. */
  trouble: { kind: 'error' | 'crash' | 'timeout'; message: string } | null;
}

/** One verdict for each provider and device, the CPU first. Never rejects: what goes wrong is a verdict. */
export async function runProviderTrial(options: ProviderTrialOptions = {}): Promise<ProviderVerdict[]> {
  const { spawn = forkTrial, devices = {}, signal } = options;
  const limits: Limits = {
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    timingTimeoutMs: options.timingTimeoutMs ?? DEFAULT_TIMING_TIMEOUT_MS,
  };
  const cpu = await attempt(CPU_TARGET, spawn, limits, signal);
  const wanted = options.providers ?? cpu.numbers?.bundled ?? [];
  const attempts: Attempt[] = options.providers && !options.providers.includes('cpu') ? [] : [cpu];
  // One after the other: they would distort each other's times.
  for (const provider of new Set(wanted)) {
    if (provider === 'cpu') continue;
    for (let device = 0; device < (devices[provider] ?? 1) && !signal?.aborted; device++) {
      const tried = await attempt({ provider, device }, spawn, limits, signal);
      attempts.push(tried);
      if (tried.trouble && unavailable(provider, tried.trouble.message) !== null) break;
    }
  }
  return attempts.map((each) => verdictOf(each, cpu.numbers?.numbers ?? null));
}

/** What to compute with: the fastest correct one; ties go to the CPU, then by name and device. The CPU where none is correct. */
export function chooseTarget(verdicts: readonly ProviderVerdict[]): ComputeTarget {
  const costOf = ({ trainStepMs, decodeStepMs }: ProviderVerdict): number =>
    trainStepMs === null || decodeStepMs === null ? Infinity : trainStepMs + DECODE_STEPS_PER_TRAIN_STEP * decodeStepMs;
  const rank = ({ provider, device }: ProviderVerdict): string => (provider === 'cpu' ? '' : `${provider} ${device}`);
  const timed = verdicts
    .filter(({ verdict }) => verdict === 'correct' || verdict === 'used')
    .filter((verdict) => Number.isFinite(costOf(verdict)))
    .sort((a, b) => costOf(a) - costOf(b) || (rank(a) < rank(b) ? -1 : 1));
  const [best] = timed;
  return best ? { provider: best.provider, device: best.device } : CPU_TARGET;
}

function attempt(
  target: ComputeTarget,
  spawn: SpawnTrial,
  { timeoutMs, timingTimeoutMs }: Limits,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  return new Promise((resolve) => {
    const result: Attempt = { target, numbers: null, times: null, trouble: null };
    let channel: ComputeChannel | null = null;
    const finish = (trouble: Attempt['trouble']): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      channel?.kill();
      resolve({ ...result, trouble });
    };
    const cancel = (): void => finish({ kind: 'error', message: 'the trial was cancelled' });
    const giveUpAfter = (ms: number): NodeJS.Timeout =>
      setTimeout(() => finish({ kind: 'timeout', message: `no answer within ${ms / 1000} s` }), ms);
    let timer = giveUpAfter(timeoutMs);
    if (signal?.aborted) {
      cancel();
      return;
    }
    signal?.addEventListener('abort', cancel);
    try {
      channel = spawn(target.provider);
    } catch (error) {
      finish({ kind: 'crash', message: `the trial process could not be started: ${String(error)}` });
      return;
    }
    channel.onExit((exit) => finish({ kind: 'crash', message: describeExit(exit) }));
    channel.onMessage((message) => {
      if (!isTrialReport(message)) finish({ kind: 'error', message: 'the trial process sent something unreadable' });
      else if (message.kind === 'numbers') {
        result.numbers = message;
        clearTimeout(timer);
        timer = giveUpAfter(timingTimeoutMs);
      } else if (message.kind === 'error') finish({ kind: 'error', message: message.message });
      else {
        result.times = message;
        finish(null);
      }
    });
    channel.post({ kind: 'try', ...target } satisfies TrialRequest);
  });
}

function describeExit({ code, signal }: ComputeExit): string {
  return signal === null ? `the trial process ended with code ${code}` : `the trial process crashed (${signal})`;
}

function verdictOf(
  { target, numbers, times, trouble }: Attempt,
  reference: Record<string, Float32Array> | null,
): ProviderVerdict {
  const { provider } = target;
  const base = {
    ...target,
    adapter: numbers?.adapter ?? null,
    maxRelativeError: null,
    trainStepMs: times?.trainStepMs ?? null,
    decodeStepMs: times?.decodeStepMs ?? null,
    peakBytes: times?.peakBytes ?? null,
    testedAt: Date.now(),
  };
  if (numbers === null) {
    const message = trouble?.message ?? 'the trial process gave no numbers';
    const missing = trouble?.kind === 'error' ? unavailable(provider, message) : null;
    if (missing !== null) return { ...base, verdict: 'unavailable', detail: missing };
    return { ...base, verdict: 'failed', detail: `The trial failed: ${message}. ${UPDATE_DRIVER[provider]}` };
  }
  if (reference === null) return { ...base, verdict: 'failed', detail: 'The CPU gave no numbers to compare with.' };
  const { error, where } = largestError(numbers.numbers, reference);
  if (!(error <= LARGEST_ERROR)) {
    const detail = `Computes wrong numbers (${where}: relative error ${error.toExponential(1)}) and is not used. ${UPDATE_DRIVER[provider]}`;
    return { ...base, verdict: 'wrong', maxRelativeError: error, detail };
  }
  if (trouble !== null && trouble.kind !== 'timeout') {
    return {
      ...base,
      verdict: 'failed',
      maxRelativeError: error,
      detail: `Computed correctly, then failed: ${trouble.message}. ${UPDATE_DRIVER[provider]}`,
    };
  }
  const detail = trouble ? 'Computes correctly, but was too slow to be timed.' : 'Computes correctly.';
  return { ...base, verdict: 'correct', maxRelativeError: error, detail };
}

const UPDATE_DRIVER: Record<ProviderName, string> = {
  cpu: 'Reinstall the app; if it stays, report it.',
  webgpu: 'Update the graphics driver.',
  cuda: 'Update the NVIDIA driver, CUDA and cuDNN.',
  dml: 'Update the graphics driver.',
  coreml: 'Update macOS.',
};

/** The sentence for a provider that cannot run on this machine; null when the error is of another kind. */
function unavailable(provider: ProviderName, message: string): string | null {
  if (/is not part of this platform/.test(message)) return `${message}.`;
  if (/No supported adapters|Failed to get a WebGPU (adapter|device)/i.test(message)) {
    return process.platform === 'linux'
      ? 'No WebGPU adapter was found. Install the Vulkan driver of the graphics card (for example mesa-vulkan-drivers, or the NVIDIA driver) and libvulkan1.'
      : 'No WebGPU adapter was found. Install the driver of the graphics card.';
  }
  if (
    /Failed to load (shared )?library|cannot open shared object|LoadLibrary failed|CUDA (driver|failure)/i.test(message)
  ) {
    return provider === 'cuda'
      ? 'The CUDA library of ONNX Runtime is not installed, or lacks CUDA 12 or cuDNN 9: install them to use CUDA; WebGPU works without.'
      : `A library is missing: ${message}`;
  }
  return null;
}

/** Differences relative to the largest magnitude of each tensor. A missing tensor, another length, or NaN is infinite. */
export function largestError(
  actual: Record<string, Float32Array>,
  expected: Record<string, Float32Array>,
): { error: number; where: string } {
  let worst = { error: 0, where: 'nothing' };
  for (const [where, values] of Object.entries(expected)) {
    const error = tensorError(actual[where], values);
    if (error > worst.error) worst = { error, where };
  }
  return worst;
}

function tensorError(actual: Float32Array | undefined, expected: Float32Array): number {
  if (actual?.length !== expected.length) return Infinity;
  let [difference, magnitude] = [0, 1e-9];
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!);
    if (!Number.isFinite(distance)) return Infinity;
    difference = Math.max(difference, distance);
    magnitude = Math.max(magnitude, Math.abs(expected[i]!));
  }
  return difference / magnitude;
}

/** A plain Node child process; its library messages are left out, the verdict says what matters. */
export const forkTrial: SpawnTrial = () =>
  forkTrialEntry(fileURLToPath(new URL(`provider-trial-process${extname(import.meta.url)}`, import.meta.url)));

/** The same for another entry and environment, for tests. */
export function forkTrialEntry(entry: string, env: NodeJS.ProcessEnv = process.env): ComputeChannel {
  const stdio: StdioOptions = ['ignore', 'ignore', 'ignore', 'ipc'];
  const child = fork(entry, [], { execArgv: [], serialization: 'advanced', stdio, env });
  // A process that cannot start has no exit event of its own.
  const failedToStart = new Promise<ComputeExit>((resolve) =>
    child.once('error', () => resolve({ code: -1, signal: null })),
  );
  return {
    post: (message) => child.connected && child.send(message as object, () => undefined),
    onMessage: (listener) => child.on('message', listener),
    onExit: (listener) => {
      child.on('exit', (code, signal) => listener({ code, signal }));
      void failedToStart.then(listener);
    },
    kill: () => child.kill('SIGKILL'),
    pid: child.pid ?? null,
  };
}
