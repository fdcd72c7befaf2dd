/**
 * From the gradient of the merged weights to that of the adapter in them. For W = W0 + s B A, s = alpha / rank:
 *
 *     dA = s B^T dW      dB = s dW A^T
 *
 * So one backward pass over plain weights serves the base and the adapter alike. Knows nothing of graphs or objectives.
 */
import { adapterSlots, type AdapterConfig } from './adapter.ts';
import { parameterSlots } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';

/** `gradient`: of the merged weights, flat like them. Returns a new array, flat like the adapter `flat`. */
export function adapterGradient(
  config: PolicyConfig,
  adapter: AdapterConfig,
  flat: Float32Array,
  gradient: Float32Array,
): Float32Array {
  const result = new Float32Array(flat.length);
  const slots = new Map(adapterSlots(config, adapter).map((slot) => [slot.name, slot]));
  const scale = adapter.alpha / adapter.rank;
  for (const weight of parameterSlots(config)) {
    const path = weight.name.replace(/\.weight$/, '');
    const [a, b] = [slots.get(`${path}.lora_A.weight`), slots.get(`${path}.lora_B.weight`)];
    if (!a || !b) continue;
    const part = (of: Float32Array, { offset, length }: { offset: number; length: number }): Float32Array =>
      of.subarray(offset, offset + length);
    addFactors(part(gradient, weight), part(flat, a), part(flat, b), part(result, a), part(result, b), {
      rank: adapter.rank,
      scale,
    });
  }
  return result;
}

/** dW [out,in], A [rank,in], B [out,rank] -> dA and dB; both are summed in double precision. */
function addFactors(
  dW: Float32Array,
  a: Float32Array,
  b: Float32Array,
  dA: Float32Array,
  dB: Float32Array,
  { rank, scale }: { rank: number; scale: number },
): void {
  const inputs = a.length / rank;
  const outputs = b.length / rank;
  const sum = new Float64Array(dA.length);
  for (let o = 0; o < outputs; o++) {
    const row = o * inputs;
    for (let r = 0; r < rank; r++) {
      const left = b[o * rank + r]! * scale;
      const start = r * inputs;
      let dot = 0;
      for (let i = 0; i < inputs; i++) {
        const slope = dW[row + i]!;
        dot += slope * a[start + i]!;
        sum[start + i]! += left * slope;
      }
      dB[o * rank + r] = scale * dot;
    }
  }
  dA.set(sum);
}
