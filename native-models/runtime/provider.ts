/** Execution providers by name, and which lowering of a graph each wants. Imports no runtime: any process may use it. */
import type { Lowering } from '../graph/lower.ts';

export type ProviderName = 'cpu' | 'webgpu' | 'cuda' | 'dml' | 'coreml';
export const providerNames: readonly ProviderName[] = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'];

/** DirectML has no kernels for the fused operators either. */
const LOWERING: Record<ProviderName, Lowering> = {
  cpu: 'cpu',
  webgpu: 'webgpu',
  cuda: 'cpu',
  dml: 'webgpu',
  coreml: 'cpu',
};

export function loweringFor(provider: ProviderName): Lowering {
  return LOWERING[provider];
}
