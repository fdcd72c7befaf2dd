/** One row for each outcome of a provider's trial. A missing row does not compile. */
import type { ProviderVerdict } from '../../src-main/engine/api.ts';
import type { Tone } from '../ui/tone.ts';

export const verdictLooks: Record<ProviderVerdict['verdict'], { label: string; tone: Tone; order: number }> = {
  used: { label: 'In use', tone: 'honey', order: 0 },
  correct: { label: 'Correct', tone: 'good', order: 1 },
  wrong: { label: 'Wrong results', tone: 'bad', order: 2 },
  failed: { label: 'Failed', tone: 'bad', order: 3 },
  unavailable: { label: 'Not available', tone: 'neutral', order: 4 },
};

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
