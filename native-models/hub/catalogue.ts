/**
 * Models that are known to suit: what is stated about each is what its own page and config.json say. Their sizes follow from the
 * shape; the exact bytes of the files are the hub's to say when they are fetched. Knows nothing of this machine.
 */
import { parameterCount, parameterSlots } from '../policy/parameters.ts';
import { parsePolicyConfig, type PolicyConfig } from '../policy/policy-config.ts';

export interface CatalogueModel {
  /** On the Hugging Face hub. */
  id: string;
  licence: string;
  /** Its owner gives it only to accounts that accepted its conditions. */
  gated: boolean;
  config: PolicyConfig;
  /** Weights that are computed with: a head that is the embedding counts once. */
  parameters: number;
  /** Of the weights' files, two bytes a weight; some hold a copy of the head that is not needed. */
  downloadBytes: number;
}

interface Row {
  id: string;
  licence: string;
  gated?: boolean;
  /** The files hold the head although it is the embedding. */
  storesHead?: boolean;
  /** Fields of config.json: [hidden, layers, heads, key heads, head size, MLP, context, rope theta, epsilon]. */
  shape: readonly [number, number, number, number, number, number, number, number, number];
  rest: Record<string, unknown>;
}

const qwen2 = { model_type: 'qwen2', vocab_size: 151_936, eos_token_id: 151_645, tie_word_embeddings: true };
const qwen3 = { ...qwen2, model_type: 'qwen3' };
const smolLm2 = { model_type: 'llama', vocab_size: 49_152, eos_token_id: 2, tie_word_embeddings: true };
const llama32 = {
  model_type: 'llama',
  vocab_size: 128_256,
  eos_token_id: [128_001, 128_008, 128_009],
  tie_word_embeddings: true,
  rope_scaling: {
    rope_type: 'llama3',
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  },
};

const rows: readonly Row[] = [
  {
    id: 'HuggingFaceTB/SmolLM2-135M-Instruct',
    licence: 'Apache-2.0',
    shape: [576, 30, 9, 3, 64, 1536, 8192, 100_000, 1e-5],
    rest: smolLm2,
  },
  {
    id: 'HuggingFaceTB/SmolLM2-360M-Instruct',
    licence: 'Apache-2.0',
    shape: [960, 32, 15, 5, 64, 2560, 8192, 100_000, 1e-5],
    rest: smolLm2,
  },
  {
    id: 'Qwen/Qwen2.5-0.5B-Instruct',
    licence: 'Apache-2.0',
    shape: [896, 24, 14, 2, 64, 4864, 32_768, 1e6, 1e-6],
    rest: qwen2,
  },
  {
    id: 'Qwen/Qwen3-0.6B',
    licence: 'Apache-2.0',
    storesHead: true,
    shape: [1024, 28, 16, 8, 128, 3072, 40_960, 1e6, 1e-6],
    rest: qwen3,
  },
  {
    id: 'meta-llama/Llama-3.2-1B-Instruct',
    licence: 'Llama 3.2 Community License',
    gated: true,
    shape: [2048, 16, 32, 8, 64, 8192, 131_072, 500_000, 1e-5],
    rest: llama32,
  },
  {
    id: 'Qwen/Qwen2.5-1.5B-Instruct',
    licence: 'Apache-2.0',
    shape: [1536, 28, 12, 2, 128, 8960, 32_768, 1e6, 1e-6],
    rest: qwen2,
  },
  {
    id: 'Qwen/Qwen3-1.7B',
    licence: 'Apache-2.0',
    storesHead: true,
    shape: [2048, 28, 16, 8, 128, 6144, 40_960, 1e6, 1e-6],
    rest: qwen3,
  },
];

/** Smallest first. */
export const catalogue: readonly CatalogueModel[] = rows.map(toModel);

function toModel({ id, licence, gated = false, storesHead = false, shape, rest }: Row): CatalogueModel {
  const [hidden, layers, heads, keyHeads, headSize, mlp, context, theta, epsilon] = shape;
  const config = parsePolicyConfig({
    ...rest,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyHeads,
    head_dim: headSize,
    intermediate_size: mlp,
    max_position_embeddings: context,
    rope_theta: theta,
    rms_norm_eps: epsilon,
  });
  const parameters = parameterCount(parameterSlots(config));
  const stored = parameters + (storesHead ? config.vocabularySize * hidden : 0);
  return { id, licence, gated, config, parameters, downloadBytes: 2 * stored };
}
