/**
 * A frozen policy's matrices as whole numbers, for decoding alone: which matrix gets how many bits, and what that takes. The
 * embedding stays as it is (a token reads one row of it), and so do gains and biases; a tied head is a compressed copy of it.
 * Knows nothing of sessions.
 *
 * `int4` keeps eight bits where four cost most: measured on SmolLM2-135M's log-probs, the values, the way down and the head.
 */
import { quantise, quantisedBytes, type MatrixSize, type QuantisedMatrix } from './block-quantisation.ts';
import { linearNames, linearPath, linearSize, type LinearName } from './linears.ts';
import { parameterSlots } from './parameters.ts';
import type { PolicyConfig } from './policy-config.ts';

export type WholeNumberPrecision = 'int8' | 'int4';

/** By the matrix's Hugging Face name; a tied head is found under its own, `lm_head.weight`. */
export type CompressedWeights = ReadonlyMap<string, QuantisedMatrix>;

interface MatrixPlan extends MatrixSize {
  name: string;
  /** The weight it is made from. */
  source: string;
}

export const HEAD = 'lm_head.weight';
const EIGHT_BITS_IN_INT4: readonly LinearName[] = ['v_proj', 'down_proj'];

function plan(config: PolicyConfig, precision: WholeNumberPrecision): MatrixPlan[] {
  const linears = Array.from({ length: config.layers }, (_, layer) =>
    linearNames.map((linear): MatrixPlan => {
      const name = `${linearPath(layer, linear)}.weight`;
      const { inputs, outputs } = linearSize(config, linear);
      const bits = precision === 'int8' || EIGHT_BITS_IN_INT4.includes(linear) ? 8 : 4;
      return { name, source: name, outputs, inputs, bits };
    }),
  ).flat();
  const source = config.tiedHead ? 'model.embed_tokens.weight' : HEAD;
  return [...linears, { name: HEAD, source, outputs: config.vocabularySize, inputs: config.hiddenSize, bits: 8 }];
}

/**
 * All matrices lie in one buffer: memory of that size goes back to the system when the buffer is collected, smaller pieces would not.
 * @param weights flat, in the order of `parameterSlots`
 */
export function compressWeights(
  config: PolicyConfig,
  weights: Float32Array,
  precision: WholeNumberPrecision,
): CompressedWeights {
  const slots = new Map(parameterSlots(config).map((slot) => [slot.name, slot]));
  const buffer = new ArrayBuffer(compressedBytes(config, precision));
  let at = 0;
  return new Map(
    plan(config, precision).map(({ name, source, ...size }) => {
      const { offset, length } = slots.get(source)!;
      const matrix = quantise(weights.subarray(offset, offset + length), size, buffer, at);
      at += quantisedBytes(size);
      return [name, matrix];
    }),
  );
}

/** What `compressWeights` makes, without making it. */
export function compressedBytes(config: PolicyConfig, precision: WholeNumberPrecision): number {
  return plan(config, precision).reduce((sum, size) => sum + quantisedBytes(size), 0);
}
