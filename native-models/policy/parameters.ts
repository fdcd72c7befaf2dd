/**
 * The policy's weights: names and shapes as Hugging Face has them, laid out one after the other in one flat float32 array,
 * so that an optimiser step, a norm or a checkpoint is one walk over memory.
 */
import { elementCount } from '../graph/shape.ts';
import { linearPath, linearSize, type LinearName } from './linears.ts';
import type { PolicyConfig } from './policy-config.ts';

export interface ParameterSlot {
  name: string;
  shape: readonly number[];
  /** Offset in elements into the flat array. */
  offset: number;
  length: number;
  /** Matrices decay, gains and biases do not. */
  decays: boolean;
}

/** Slots in a fixed order; linears are [out, in]. */
export function parameterSlots(config: PolicyConfig): ParameterSlot[] {
  const { hiddenSize: d, headDim, vocabularySize } = config;
  const shapes: [string, number[]][] = [['model.embed_tokens.weight', [vocabularySize, d]]];
  for (let i = 0; i < config.layers; i++) {
    const norm = (name: string, width: number): void => {
      shapes.push([`model.layers.${i}.${name}.weight`, [width]]);
    };
    const linears = (...names: LinearName[]): void => {
      for (const name of names) {
        const { inputs, outputs, hasBias } = linearSize(config, name);
        shapes.push([`${linearPath(i, name)}.weight`, [outputs, inputs]]);
        if (hasBias) shapes.push([`${linearPath(i, name)}.bias`, [outputs]]);
      }
    };
    norm('input_layernorm', d);
    linears('q_proj', 'k_proj', 'v_proj', 'o_proj');
    if (config.queryKeyNorm) {
      norm('self_attn.q_norm', headDim);
      norm('self_attn.k_norm', headDim);
    }
    norm('post_attention_layernorm', d);
    linears('gate_proj', 'up_proj', 'down_proj');
  }
  shapes.push(['model.norm.weight', [d]]);
  if (!config.tiedHead) shapes.push(['lm_head.weight', [vocabularySize, d]]);
  return layOut(shapes);
}

/** Names and shapes -> slots one after the other. */
export function layOut(shapes: readonly (readonly [name: string, shape: readonly number[]])[]): ParameterSlot[] {
  let offset = 0;
  return shapes.map(([name, shape]) => {
    const length = elementCount(shape);
    const slot = { name, shape, offset, length, decays: shape.length > 1 };
    offset += length;
    return slot;
  });
}

export function parameterCount(slots: readonly ParameterSlot[]): number {
  const last = slots.at(-1)!;
  return last.offset + last.length;
}

/**
 * Random weights as Llama is initialised: normal(0, 0.02), the projections that write to the residual stream scaled
 * down by sqrt(2 * layers) (GPT-2), gains 1, biases 0.
 */
export function initialParameters(config: PolicyConfig, random: () => number): Float32Array {
  const slots = parameterSlots(config);
  const flat = new Float32Array(parameterCount(slots));
  for (const slot of slots) {
    const view = flat.subarray(slot.offset, slot.offset + slot.length);
    if (slot.name.endsWith('.bias')) view.fill(0);
    else if (!slot.decays) view.fill(1);
    else {
      const residual = slot.name.endsWith('o_proj.weight') || slot.name.endsWith('down_proj.weight');
      const deviation = residual ? 0.02 / Math.sqrt(2 * config.layers) : 0.02;
      for (let i = 0; i < view.length; i++) view[i] = deviation * normal(random);
    }
  }
  return flat;
}

/** Box-Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
