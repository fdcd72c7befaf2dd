/** Messages between the trial and its throw-away process. The process may have been hit by a broken driver: parse what it says. */
import { providerNames, type ProviderName } from './provider.ts';

export interface TrialRequest {
  kind: 'try';
  provider: ProviderName;
  device: number;
}
export type TrialReport =
  | { kind: 'numbers'; bundled: ProviderName[]; adapter: string | null; numbers: Record<string, Float32Array> }
  /** `peakBytes`: most that the process held in main memory; what a card holds, no runtime tells. */
  | { kind: 'times'; trainStepMs: number; decodeStepMs: number; peakBytes: number }
  | { kind: 'error'; message: string };

type Fields = Record<string, unknown>;
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value);

export function isTrialRequest(message: unknown): message is TrialRequest {
  return (
    isObject(message) &&
    message.kind === 'try' &&
    providerNames.includes(message.provider as ProviderName) &&
    Number.isInteger(message.device)
  );
}

export function isTrialReport(message: unknown): message is TrialReport {
  if (!isObject(message)) return false;
  if (message.kind === 'error') return typeof message.message === 'string';
  if (message.kind === 'times') return [message.trainStepMs, message.decodeStepMs, message.peakBytes].every(isAmount);
  const { numbers, bundled, adapter } = message;
  return (
    message.kind === 'numbers' &&
    isObject(numbers) &&
    Object.values(numbers).every((values) => values instanceof Float32Array) &&
    Array.isArray(bundled) &&
    bundled.every((name) => providerNames.includes(name as ProviderName)) &&
    (adapter === null || typeof adapter === 'string')
  );
}
