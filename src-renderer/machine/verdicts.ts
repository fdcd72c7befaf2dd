/** One row for each outcome of a provider's trial, and for each reason to give one up. A missing row does not compile. */
import type { GivenUpProvider, ProviderVerdict } from '../../src-main/engine/api.ts';
import { formatMemory, formatNumber } from '../ui/format.ts';
import type { Tone } from '../ui/tone.ts';

export const verdictLooks: Record<ProviderVerdict['verdict'], { label: string; tone: Tone; order: number }> = {
  used: { label: 'In use', tone: 'honey', order: 0 },
  correct: { label: 'Correct', tone: 'good', order: 1 },
  wrong: { label: 'Wrong results', tone: 'bad', order: 2 },
  failed: { label: 'Failed', tone: 'bad', order: 3 },
  unstable: { label: 'Given up', tone: 'bad', order: 4 },
  unavailable: { label: 'Not available', tone: 'neutral', order: 5 },
};

const givenUpTexts: Record<GivenUpProvider['kind'], string> = {
  crashed: 'The compute process ended',
  hung: 'The compute process stopped answering',
  notFinite: 'It computed numbers that are not finite',
  failed: 'Its calls failed',
};
/** What happened, as a sentence. */
export function givenUpText({ kind, times }: Pick<GivenUpProvider, 'kind' | 'times'>): string {
  return `${givenUpTexts[kind]}${times === 1 ? '' : ` ${times} times in a short while`}.`;
}

/** What the trial measured, as one line; empty where it measured nothing. The CPU is what the others are compared with. */
export function measured(
  row: Pick<ProviderVerdict, 'provider' | 'trainStepMs' | 'decodeStepMs' | 'peakBytes' | 'maxRelativeError'>,
) {
  const { provider, trainStepMs, decodeStepMs, peakBytes, maxRelativeError } = row;
  const parts = [
    trainStepMs === null ? '' : `training step ${formatNumber(trainStepMs)} ms`,
    decodeStepMs === null ? '' : `decoding step ${formatNumber(decodeStepMs)} ms`,
    peakBytes === null ? '' : `${formatMemory(peakBytes)} of main memory`,
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
/** `device`: of several cards that a provider was tried on, numbered as the settings and the command line do. */
export function providerName(name: string, device = 0): string {
  return `${providerNames[name] ?? name}${device === 0 ? '' : ` #${device}`}`;
}
