/** Execution providers by name, and which lowering of a graph each wants. Imports no runtime: any process may use it. */
import type { Lowering } from '../graph/lower.ts';

export type ProviderName = 'cpu' | 'webgpu' | 'cuda' | 'dml' | 'coreml';
export const providerNames: readonly ProviderName[] = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'];

/**
 * One device of a provider: the driver's index for cuda and dml, 0 for the others. onnxruntime-node 1.30 has no way to name a
 * WebGPU adapter (it refuses `deviceId` and `powerPreference`); the system's fast one is taken.
 */
export interface ComputeTarget {
  provider: ProviderName;
  device: number;
}
export const CPU_TARGET: ComputeTarget = { provider: 'cpu', device: 0 };
export const isSameTarget = (a: ComputeTarget, b: ComputeTarget): boolean =>
  a.provider === b.provider && a.device === b.device;

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
