/**
 * Two adapters over one frozen policy, laid out as a single one of both ranks, so that one graph and one backward pass serve
 * both:  W + s1 B1 A1 + s2 B2 A2  =  W + s1 [B1, (s2/s1) B2] [A1; A2],  s = alpha / rank. The factor s2/s1 goes into the stack's B.
 * What comes out is an ordinary LoRA adapter of rank r1 + r2. Knows nothing of graphs, files or training.
 */
import { adapterConfig, adapterSlots, type AdapterConfig } from './adapter.ts';
import { linearNames } from './linears.ts';
import type { ParameterSlot } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';

/** Of BRIDGE: as the paper has it, alpha is the rank. On the linears that the first adapter is on, for the two are stacked. */
export function secondAdapter(rank: number, first: AdapterConfig | null): AdapterConfig {
  return adapterConfig(rank, rank, first?.targets ?? linearNames);
}

/** @throws Error unless both adapt the same linears. */
export function stackedConfig(first: AdapterConfig, second: AdapterConfig): AdapterConfig {
  if (first.targets.join() !== second.targets.join()) throw new Error('stackedConfig: adapters of different linears');
  const rank = first.rank + second.rank;
  return { rank, alpha: (first.alpha / first.rank) * rank, targets: first.targets };
}

/** Where an adapter's numbers are in the stack: its slots beside the stack's, in the order of both. */
export interface StackPlace {
  slots: readonly ParameterSlot[];
  stacked: readonly ParameterSlot[];
  rank: number;
  stackedRank: number;
  /** Rank at which it begins. */
  from: number;
  /** Of its B in the stack: s / s1. */
  factor: number;
}

export function stackPlaces(
  config: PolicyConfig,
  first: AdapterConfig,
  second: AdapterConfig,
): [StackPlace, StackPlace] {
  const whole = stackedConfig(first, second);
  const stacked = adapterSlots(config, whole);
  const scale = ({ alpha, rank }: AdapterConfig): number => alpha / rank;
  const place = (adapter: AdapterConfig, from: number): StackPlace => ({
    slots: adapterSlots(config, adapter),
    stacked,
    rank: adapter.rank,
    stackedRank: whole.rank,
    from,
    factor: scale(adapter) / scale(first),
  });
  return [place(first, 0), place(second, first.rank)];
}

/** Writes an adapter's matrices into the stack. */
export function putIntoStack(place: StackPlace, flat: Float32Array, stack: Float32Array): void {
  walk(place, (inAdapter, inStack, isB) => {
    stack[inStack] = isB ? place.factor * flat[inAdapter]! : flat[inAdapter]!;
  });
}

/** The gradient of an adapter's own numbers from that of the stack. */
export function gradientFromStack(place: StackPlace, gradient: Float32Array, target: Float32Array): void {
  walk(place, (inAdapter, inStack, isB) => {
    target[inAdapter] = isB ? place.factor * gradient[inStack]! : gradient[inStack]!;
  });
}

function walk(
  { slots, stacked, rank, stackedRank, from }: StackPlace,
  visit: (inAdapter: number, inStack: number, isB: boolean) => void,
): void {
  slots.forEach((slot, k) => {
    const { offset } = stacked[k]!;
    const isB = slot.name.endsWith('.lora_B.weight');
    for (let i = 0; i < slot.length; i++) {
      // A [rank,in] is a stretch of rows, B [out,rank] a stretch of columns.
      const inStack = isB ? Math.floor(i / rank) * stackedRank + from + (i % rank) : from * slot.shape[1]! + i;
      visit(slot.offset + i, offset + inStack, isB);
    }
  });
}
