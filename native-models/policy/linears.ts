/**
 * The linears of a decoder layer: their names as Hugging Face has them, their sizes, which have a bias. The one list that
 * parameters, graphs and adapters are made from.
 */
import type { BiasedLinears, PolicyConfig } from './policy-config.ts';

export const linearNames = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type LinearName = (typeof linearNames)[number];

export interface LinearSize {
  inputs: number;
  outputs: number;
  hasBias: boolean;
}

const GROUP: Record<LinearName, { block: 'self_attn' | 'mlp'; biased: BiasedLinears }> = {
  q_proj: { block: 'self_attn', biased: 'qkv' },
  k_proj: { block: 'self_attn', biased: 'qkv' },
  v_proj: { block: 'self_attn', biased: 'qkv' },
  o_proj: { block: 'self_attn', biased: 'attentionOutput' },
  gate_proj: { block: 'mlp', biased: 'mlp' },
  up_proj: { block: 'mlp', biased: 'mlp' },
  down_proj: { block: 'mlp', biased: 'mlp' },
};

/** `model.layers.3.self_attn.q_proj`; `.weight`, `.bias` and an adapter's matrices hang under it. */
export function linearPath(layer: number, name: LinearName): string {
  return `model.layers.${layer}.${GROUP[name].block}.${name}`;
}

export function linearSize(config: PolicyConfig, name: LinearName): LinearSize {
  const { hiddenSize: d, intermediateSize: ff } = config;
  const [queries, keys] = [config.heads * config.headDim, config.kvHeads * config.headDim];
  const sizes: Record<LinearName, [inputs: number, outputs: number]> = {
    q_proj: [d, queries],
    k_proj: [d, keys],
    v_proj: [d, keys],
    o_proj: [queries, d],
    gate_proj: [d, ff],
    up_proj: [d, ff],
    down_proj: [ff, d],
  };
  const [inputs, outputs] = sizes[name];
  return { inputs, outputs, hasBias: config.biases.includes(GROUP[name].biased) };
}
