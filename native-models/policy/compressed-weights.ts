/**
 * A frozen policy's matrices in fewer bits, for decoding alone: which matrix gets how many, and what that takes. The
 * embedding stays as it is (a token reads one row of it), and so do gains and biases; a tied head is a compressed copy of it.
 * Knows nothing of sessions.
 *
 * `int4` keeps eight bits where four cost most: measured on SmolLM2-135M's log-probs, the values, the way down and the head.
 */
import { float32ToFloat16 } from '../checkpoint/half-floats.ts';
import { quantise, quantisedBytes, type QuantisedBits, type QuantisedMatrix } from './block-quantisation.ts';
import { linearNames, linearPath, linearSize, type LinearName } from './linears.ts';
import { parameterSlots } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';

export type CompressedPrecision = 'f16' | 'int8' | 'int4';

export interface HalfMatrix {
  bits: 16;
  outputs: number;
  inputs: number;
  /** Bits of float16, [inputs, outputs]. */
  transposed: Uint16Array;
}
export type CompressedMatrix = QuantisedMatrix | HalfMatrix;
/** By the matrix's Hugging Face name; a tied head is found under its own, `lm_head.weight`. */
export type CompressedWeights = ReadonlyMap<string, CompressedMatrix>;

interface MatrixPlan {
  name: string;
  /** The weight it is made from. */
  source: string;
  outputs: number;
  inputs: number;
  bits: QuantisedBits | 16;
}

export const HEAD = 'lm_head.weight';
const EIGHT_BITS_IN_INT4: readonly LinearName[] = ['v_proj', 'down_proj'];

const BITS: Record<CompressedPrecision, (linear: LinearName | 'head') => MatrixPlan['bits']> = {
  f16: () => 16,
  int8: () => 8,
  int4: (linear) => (linear === 'head' || EIGHT_BITS_IN_INT4.includes(linear) ? 8 : 4),
};

function plan(config: PolicyConfig, precision: CompressedPrecision): MatrixPlan[] {
  const bitsOf = BITS[precision];
  const linears = Array.from({ length: config.layers }, (_, layer) =>
    linearNames.map((linear): MatrixPlan => {
      const name = `${linearPath(layer, linear)}.weight`;
      const { inputs, outputs } = linearSize(config, linear);
      return { name, source: name, outputs, inputs, bits: bitsOf(linear) };
    }),
  ).flat();
  const source = config.tiedHead ? 'model.embed_tokens.weight' : HEAD;
  const [outputs, inputs] = [config.vocabularySize, config.hiddenSize];
  return [...linears, { name: HEAD, source, outputs, inputs, bits: bitsOf('head') }];
}

/** Whole floats, so that the next one's scales are aligned. */
function bytesOf({ outputs, inputs, bits }: MatrixPlan): number {
  return bits === 16 ? 4 * Math.ceil((outputs * inputs) / 2) : quantisedBytes({ outputs, inputs, bits });
}

/**
 * All matrices lie in one buffer: memory of that size goes back to the system when the buffer is collected, smaller pieces would not.
 * @param weights flat, in the order of `parameterSlots`
 */
export function compressWeights(
  config: PolicyConfig,
  weights: Float32Array,
  precision: CompressedPrecision,
): CompressedWeights {
  const slots = new Map(parameterSlots(config).map((slot) => [slot.name, slot]));
  const buffer = new ArrayBuffer(compressedBytes(config, precision));
  let at = 0;
  return new Map(
    plan(config, precision).map((each) => {
      const { offset, length } = slots.get(each.source)!;
      const matrix = compress(weights.subarray(offset, offset + length), each, buffer, at);
      at += bytesOf(each);
      return [each.name, matrix];
    }),
  );
}

/** What `compressWeights` makes, without making it. */
export function compressedBytes(config: PolicyConfig, precision: CompressedPrecision): number {
  return plan(config, precision).reduce((sum, each) => sum + bytesOf(each), 0);
}

function compress(
  weights: Float32Array,
  { outputs, inputs, bits }: MatrixPlan,
  buffer: ArrayBuffer,
  offset: number,
): CompressedMatrix {
  if (bits !== 16) return quantise(weights, { outputs, inputs, bits }, buffer, offset);
  const transposed = new Uint16Array(buffer, offset, outputs * inputs);
  const row = new Uint16Array(inputs);
  for (let n = 0; n < outputs; n++) {
    float32ToFloat16(weights.subarray(n * inputs, (n + 1) * inputs), row);
    for (let k = 0; k < inputs; k++) transposed[k * outputs + n] = row[k]!;
  }
  return { bits, outputs, inputs, transposed };
}
