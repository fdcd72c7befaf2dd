/**
 * LoRA (arXiv 2106.09685): y = W x + (alpha / rank) B A x, with W frozen and A [rank,in], B [out,rank] trained. Which linears
 * have one, its matrices as slots, how they start, and what merging does to W. Knows nothing of graphs or of files.
 */
import { linearNames, linearPath, linearSize, type LinearName } from './linears.ts';
import { layOut, parameterSlots, type ParameterSlot } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';
import { PolicyError } from './policy-error.ts';

export interface AdapterConfig {
  rank: number;
  alpha: number;
  /** Sorted as `linearNames`, without repeats. */
  targets: readonly LinearName[];
}

/** What the owner wants: `auto` adapts large policies and trains small ones in full. */
export interface AdapterRequest {
  mode: 'auto' | 'lora' | 'full';
  rank: number;
  alpha: number;
  targets: readonly string[];
}

/** From this many weights on `auto` takes an adapter: full training needs 20 bytes a weight, an adapter little more than 4. */
export const ADAPTED_FROM_WEIGHTS = 50_000_000;

/** Null: all weights are trained. @throws PolicyError */
export function chooseAdapter(weights: number, request: AdapterRequest): AdapterConfig | null {
  const { mode, rank, alpha, targets } = request;
  if (mode === 'full' || (mode === 'auto' && weights < ADAPTED_FROM_WEIGHTS)) return null;
  return adapterConfig(rank, alpha, targets);
}

/** @throws PolicyError for numbers out of range and for linears that a decoder does not have. */
export function adapterConfig(rank: number, alpha: number, targets: readonly string[]): AdapterConfig {
  const fail = (what: string): never => {
    throw new PolicyError(
      'policyInvalid',
      `Adapter: ${what}`,
      'Set loraRank, loraAlpha and loraTargets to a valid adapter.',
    );
  };
  if (!Number.isInteger(rank) || rank < 1 || rank > 1024) fail(`the rank must be 1 to 1024, it is ${rank}`);
  if (!Number.isFinite(alpha) || alpha <= 0 || alpha > 1e5) fail(`alpha must be above 0, it is ${alpha}`);
  const unknown = targets.find((name) => !(linearNames as readonly string[]).includes(name));
  if (unknown !== undefined)
    fail(`there is no linear ${JSON.stringify(unknown.slice(0, 40))}; there are ${linearNames.join(', ')}`);
  const sorted = linearNames.filter((name) => targets.includes(name));
  if (sorted.length === 0) fail('no linear is named');
  return { rank, alpha, targets: sorted };
}

/** Slots by layer and linear, A before B: `model.layers.0.self_attn.q_proj.lora_A.weight`. */
export function adapterSlots(config: PolicyConfig, { rank, targets }: AdapterConfig): ParameterSlot[] {
  const shapes: [string, number[]][] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    for (const name of targets) {
      const { inputs, outputs } = linearSize(config, name);
      const path = linearPath(layer, name);
      shapes.push([`${path}.lora_A.weight`, [rank, inputs]], [`${path}.lora_B.weight`, [outputs, rank]]);
    }
  }
  return layOut(shapes);
}

/** A uniform within 1/sqrt(in) and B zero, as PEFT starts: the policy is the base until the first step. */
export function initialAdapter(slots: readonly ParameterSlot[], random: () => number): Float32Array {
  const last = slots.at(-1)!;
  const flat = new Float32Array(last.offset + last.length);
  for (const { name, shape, offset, length } of slots) {
    if (!name.endsWith('.lora_A.weight')) continue;
    const bound = 1 / Math.sqrt(shape[1]!);
    for (let i = offset; i < offset + length; i++) flat[i] = (2 * random() - 1) * bound;
  }
  return flat;
}

/** Weights of the policy with the adapter worked in: W + (alpha / rank) B A. A new array; the base stays as it is. */
export function mergeAdapter(
  config: PolicyConfig,
  base: Float32Array,
  adapter: AdapterConfig,
  flat: Float32Array,
): Float32Array {
  const merged = base.slice();
  addAdapter(config, merged, adapter, flat);
  return merged;
}

/** Works the adapter into the weights themselves. */
export function addAdapter(
  config: PolicyConfig,
  weights: Float32Array,
  adapter: AdapterConfig,
  flat: Float32Array,
): void {
  const slots = new Map(adapterSlots(config, adapter).map((slot) => [slot.name, slot]));
  const scale = adapter.alpha / adapter.rank;
  for (const weight of parameterSlots(config)) {
    const path = weight.name.replace(/\.weight$/, '');
    const [a, b] = [slots.get(`${path}.lora_A.weight`), slots.get(`${path}.lora_B.weight`)];
    if (!a || !b) continue;
    const target = weights.subarray(weight.offset, weight.offset + weight.length);
    const matrixA = flat.subarray(a.offset, a.offset + a.length);
    const matrixB = flat.subarray(b.offset, b.offset + b.length);
    addProduct(target, matrixB, matrixA, adapter.rank, scale);
  }
}

/**
 * target [out,in] += scale * left [out,rank] x right [rank,in]; each row is summed in double precision. Four ranks at a time: each sum
 * is read and written a quarter as often.
 */
function addProduct(target: Float32Array, left: Float32Array, right: Float32Array, rank: number, scale: number): void {
  const width = right.length / rank;
  const row = new Float64Array(width);
  for (let o = 0; o < target.length / width; o++) {
    row.fill(0);
    const factorOf = (r: number): number => (r < rank ? left[o * rank + r]! * scale : 0);
    for (let r = 0; r < rank; r += 4) {
      const [f0, f1, f2, f3] = [factorOf(r), factorOf(r + 1), factorOf(r + 2), factorOf(r + 3)];
      if (f0 === 0 && f1 === 0 && f2 === 0 && f3 === 0) continue;
      // Beyond the last rank any row will do: its factor is 0.
      const startOf = (next: number): number => Math.min(r + next, rank - 1) * width;
      const [s0, s1, s2, s3] = [startOf(0), startOf(1), startOf(2), startOf(3)];
      for (let i = 0; i < width; i++)
        row[i]! += f0 * right[s0 + i]! + f1 * right[s1 + i]! + f2 * right[s2 + i]! + f3 * right[s3 + i]!;
    }
    for (let i = 0; i < width; i++) target[o * width + i]! += row[i]!;
  }
}
