/**
 * Rotary positions and their scalings: what `config.json` says -> the frequencies of a head's pairs -> cos and sin tables.
 * Knows nothing of layers. Sources: RoFormer (arXiv 2104.09864); linear (2306.15595); yarn (2309.00071); llama3 (2407.21783).
 *
 * Dynamic NTK changes the base only beyond `max_position_embeddings`, and no text here is longer than that: within it the
 * plain frequencies are exact, so it is read and kept, and computed as none.
 */
import { integerField, isObject, numberField, quoted, refuse, type Json } from './json-fields.ts';
import type { PolicyConfig } from './policy-config.ts';

export type RopeScaling =
  | { type: 'none' }
  | { type: 'linear'; factor: number }
  | { type: 'dynamic'; factor: number }
  | { type: 'llama3'; factor: number; lowFrequency: number; highFrequency: number; originalContext: number }
  | {
      type: 'yarn';
      factor: number;
      betaFast: number;
      betaSlow: number;
      originalContext: number;
      /** Multiplies cos and sin. */
      attentionFactor: number;
      /** Bounds of the ramp rounded to whole pairs. */
      truncate: boolean;
    };
type ScalingType = RopeScaling['type'];

export interface Rope {
  theta: number;
  scaling: RopeScaling;
}

const factorOf = (raw: Json): number => numberField(raw, 'factor', 1, 1e4);
const originalOf = (raw: Json, context: number): number =>
  integerField(raw, 'original_max_position_embeddings', 1, 10_000_000, context);
const COMMON_KEYS = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor', 'factor'];

/** What each type reads, besides the common keys, and how. */
const parsers: { [K in ScalingType]: { keys: readonly string[]; parse: (raw: Json, context: number) => RopeScaling } } =
  {
    none: { keys: [], parse: () => ({ type: 'none' }) },
    linear: { keys: [], parse: (raw) => ({ type: 'linear', factor: factorOf(raw) }) },
    dynamic: {
      keys: ['original_max_position_embeddings'],
      parse: (raw, context) => {
        if (originalOf(raw, context) !== context) refuse('dynamic rope whose original context is not its context');
        return { type: 'dynamic', factor: factorOf(raw) };
      },
    },
    llama3: {
      keys: ['low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
      parse: (raw) => {
        const lowFrequency = numberField(raw, 'low_freq_factor', 1e-6, 1e6);
        return {
          type: 'llama3',
          factor: factorOf(raw),
          lowFrequency,
          highFrequency: numberField(raw, 'high_freq_factor', lowFrequency * 1.000001, 1e6),
          originalContext: originalOf(raw, NaN),
        };
      },
    },
    yarn: {
      keys: [
        'original_max_position_embeddings',
        'attention_factor',
        'beta_fast',
        'beta_slow',
        'mscale',
        'mscale_all_dim',
        'truncate',
      ],
      parse: (raw, context) => {
        const factor = factorOf(raw);
        return {
          type: 'yarn',
          factor,
          betaFast: numberField(raw, 'beta_fast', 1e-3, 1e6, 32),
          betaSlow: numberField(raw, 'beta_slow', 1e-3, 1e6, 1),
          originalContext: originalOf(raw, context),
          attentionFactor: numberField(raw, 'attention_factor', 1e-3, 1e3, yarnAttentionFactor(raw, factor)),
          truncate: raw.truncate !== false,
        };
      },
    },
  };

function yarnAttentionFactor(raw: Json, factor: number): number {
  const scale = (mscale: number): number => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const [mscale, all] = [numberField(raw, 'mscale', 0, 100, 0), numberField(raw, 'mscale_all_dim', 0, 100, 0)];
  return mscale > 0 && all > 0 ? scale(mscale) / scale(all) : scale(1);
}

/** `rope_theta` and `rope_scaling` at the top level, or both inside `rope_parameters` since transformers 5. @throws PolicyError */
export function parseRope(raw: Json, context: number): Rope {
  const nested = raw.rope_parameters ?? raw.rope_scaling ?? {};
  if (!isObject(nested)) refuse(`rope_scaling ${quoted(nested)}`);
  const named = nested.rope_type ?? nested.type ?? 'default';
  const type = named === 'default' ? 'none' : named;
  if (typeof type !== 'string' || !Object.hasOwn(parsers, type)) refuse(`rope type ${quoted(named)}`);
  if ((nested.partial_rotary_factor ?? raw.partial_rotary_factor ?? 1) !== 1) refuse('partial_rotary_factor');
  const { keys, parse } = parsers[type as ScalingType];
  for (const [key, value] of Object.entries(nested))
    if (value !== null && !COMMON_KEYS.includes(key) && !keys.includes(key)) refuse(`rope option ${quoted(key)}`);
  const theta = numberField({ rope_theta: nested.rope_theta ?? raw.rope_theta }, 'rope_theta', 1, 1e12, 10_000);
  return { theta, scaling: parse(nested, context) };
}

/** The keys of `rope_scaling` as transformers reads them; null for none. */
export function formatRopeScaling(scaling: RopeScaling): Record<string, unknown> | null {
  switch (scaling.type) {
    case 'none':
      return null;
    case 'linear':
    case 'dynamic':
      return { rope_type: scaling.type, factor: scaling.factor };
    case 'llama3':
      return {
        rope_type: 'llama3',
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequency,
        high_freq_factor: scaling.highFrequency,
        original_max_position_embeddings: scaling.originalContext,
      };
    case 'yarn':
      return {
        rope_type: 'yarn',
        factor: scaling.factor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        attention_factor: scaling.attentionFactor,
        truncate: scaling.truncate,
        original_max_position_embeddings: scaling.originalContext,
      };
  }
}

/** Radians by which each pair of a head turns per position, [Dh/2]. */
export function pairFrequencies(config: PolicyConfig): number[] {
  const half = config.headDim / 2;
  const plain = Array.from({ length: half }, (_, i) => config.ropeTheta ** (-i / half));
  const { ropeScaling: scaling } = config;
  if (scaling.type === 'linear') return plain.map((frequency) => frequency / scaling.factor);
  if (scaling.type === 'llama3') return plain.map((frequency) => llama3Frequency(frequency, scaling));
  if (scaling.type === 'yarn') {
    const [low, high] = yarnRange(config, scaling);
    return plain.map((frequency, i) => {
      const slowed = Math.min(1, Math.max(0, (i - low) / (high - low)));
      return (frequency / scaling.factor) * slowed + frequency * (1 - slowed);
    });
  }
  return plain;
}

/** Long waves are slowed by the factor, short ones stay, between them it fades. */
function llama3Frequency(frequency: number, scaling: Extract<RopeScaling, { type: 'llama3' }>): number {
  const turns = (scaling.originalContext * frequency) / (2 * Math.PI);
  if (turns < scaling.lowFrequency) return frequency / scaling.factor;
  if (turns > scaling.highFrequency) return frequency;
  const kept = (turns - scaling.lowFrequency) / (scaling.highFrequency - scaling.lowFrequency);
  return ((1 - kept) * frequency) / scaling.factor + kept * frequency;
}

/** Pairs between which the slowing rises from 0 to 1. */
function yarnRange(config: PolicyConfig, scaling: Extract<RopeScaling, { type: 'yarn' }>): [number, number] {
  const { headDim, ropeTheta } = config;
  const pairOf = (turns: number): number =>
    (headDim * Math.log(scaling.originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
  let [low, high] = [pairOf(scaling.betaFast), pairOf(scaling.betaSlow)];
  if (scaling.truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
  [low, high] = [Math.max(low, 0), Math.min(high, headDim - 1)];
  return low === high ? [low, high + 0.001] : [low, high];
}

/** cos and sin of position * frequency, [positions, Dh/2] each. */
export function rotaryTable(config: PolicyConfig, positions: number): { cos: Float32Array; sin: Float32Array } {
  const half = config.headDim / 2;
  const frequencies = pairFrequencies(config);
  const gain = config.ropeScaling.type === 'yarn' ? config.ropeScaling.attentionFactor : 1;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p * frequencies[i]!;
      cos[p * half + i] = Math.cos(angle) * gain;
      sin[p * half + i] = Math.sin(angle) * gain;
    }
  }
  return { cos, sin };
}
