/** One row for each outcome of a provider's trial. A missing row does not compile. */
import type { ProviderVerdict } from '../../src-main/engine/api.ts';
import { formatNumber } from '../ui/format.ts';
import type { Tone } from '../ui/tone.ts';

export const verdictLooks: Record<ProviderVerdict['verdict'], { label: string; tone: Tone; order: number }> = {
  used: { label: 'In use', tone: 'honey', order: 0 },
  correct: { label: 'Correct', tone: 'good', order: 1 },
  wrong: { label: 'Wrong results', tone: 'bad', order: 2 },
  failed: { label: 'Failed', tone: 'bad', order: 3 },
  unavailable: { label: 'Not available', tone: 'neutral', order: 4 },
};

/** What the trial measured, as one line; empty where it measured nothing. The CPU is what the others are compared with. */
export function measured(row: Pick<ProviderVerdict, 'provider' | 'trainStepMs' | 'decodeStepMs' | 'maxRelativeError'>) {
  const { provider, trainStepMs, decodeStepMs, maxRelativeError } = row;
  const parts = [
    trainStepMs === null ? '' : `training step ${formatNumber(trainStepMs)} ms`,
    decodeStepMs === null ? '' : `decoding step ${formatNumber(decodeStepMs)} ms`,
    provider === 'cpu' || maxRelativeError === null ? '' : `largest error ${formatNumber(maxRelativeError)}`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const providerNames: Record<string, string> = {
  cpu: 'CPU',
  webgpu: 'WebGPU',
  cuda: 'CUDA',
  dml: 'DirectML',
  coreml: 'Core ML',
};
export function providerName(name: string): string {
  return providerNames[name] ?? name;
}
