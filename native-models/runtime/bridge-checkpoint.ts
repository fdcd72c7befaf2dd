/**
 * What a checkpoint holds of a policy that BRIDGE trains, and what becomes of one when the method of training is changed:
 *
 *     by rewards -> BRIDGE   theta goes on where it was; theta-hat starts as theta, w as nothing
 *     BRIDGE -> by rewards   theta with w worked in goes on with theta's moments. Over a first adapter w has no place: refused
 *
 * theta has the names that a policy has which is trained without BRIDGE. Knows nothing of files or of steps.
 */
import { addAdapter, adapterSlots, type AdapterConfig } from '../policy/adapter.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { parameterCount } from '../policy/parameters.ts';
import type { BridgeCounts, BridgePolicy } from './bridge-policy.ts';
import { fillParts, foreignCheckpoint } from './checkpoint-parts.ts';

/** Beside the tensors. */
export interface SavedBridge {
  /** Of w; its alpha is the same. */
  rank: number;
  counts: BridgeCounts;
}
type Tensors = Readonly<Record<string, Float32Array>>;

/** `first`: name of theta where it is not all weights. */
export function bridgeParts(bridge: BridgePolicy, first: AdapterConfig | null): Record<string, Float32Array> {
  const theta = trainedName(first);
  const names: Record<string, string> = { theta, 'theta.m': 'adamw.m', 'theta.v': 'adamw.v' };
  return Object.fromEntries(
    Object.entries(bridge.tensors).map(([name, data]) => [names[name] ?? `bridge.${name}`, data]),
  );
}

export function trainedName(first: AdapterConfig | null): 'adapter' | 'weights' {
  return first ? 'adapter' : 'weights';
}

/** Of all parts, those that a checkpoint made without BRIDGE has. */
export function partsBeforeBridge(parts: Tensors): Record<string, Float32Array> {
  return Object.fromEntries(Object.entries(parts).filter(([name]) => !name.startsWith('bridge.')));
}

/** @throws Error `foreign` where w is of another rank than the settings say */
export function requireSameRank({ rank }: SavedBridge, wanted: AdapterConfig): void {
  if (rank === wanted.rank) return;
  throw foreignCheckpoint(
    `The checkpoint's second adapter is of rank ${rank}; the settings ask for ${wanted.rank}`,
    `Set bridgeRank back to ${rank}, or give the node a data folder of its own with --data.`,
  );
}

/** For training on without BRIDGE. @throws Error `foreign` over a first adapter, or when w does not fit the policy */
export function workSecondAdapterIn(
  config: PolicyConfig,
  first: AdapterConfig | null,
  weights: Float32Array,
  second: AdapterConfig,
  w: Float32Array | undefined,
): void {
  if (first)
    throw foreignCheckpoint(
      'This policy was trained by BRIDGE over an adapter; without BRIDGE its second adapter has no place',
      'Set method back to bridge, or export the policy with `waggle export` and train the exported folder in a data folder of its own.',
    );
  const own = new Float32Array(parameterCount(adapterSlots(config, second)));
  fillParts({ 'bridge.adapter': own }, { 'bridge.adapter': w && { data: w } });
  addAdapter(config, weights, second, own);
}
