/**
 * Hugging Face `config.json` of a decoder -> the sizes and options the graphs are built from. Llama, Qwen2 (2.5 too) and Qwen3
 * are rows of one table: the same decoder with or without biases and norms of queries and keys. Untrusted input: every number
 * is checked for range, and an architecture or option this engine does not compute is refused by name.
 */
import { flagField, integerField, invalid, isObject, numberField, quoted, refuse, type Json } from './json-fields.ts';
import { formatRopeScaling, parseRope, type RopeScaling } from './rope.ts';

export type Architecture = 'llama' | 'qwen2' | 'qwen3';
/** Linears that have a bias: queries, keys and values; the attention's output; all three of the MLP. */
export type BiasedLinears = 'qkv' | 'attentionOutput' | 'mlp';

export interface PolicyConfig {
  architecture: Architecture;
  vocabularySize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  intermediateSize: number;
  ropeTheta: number;
  ropeScaling: RopeScaling;
  rmsNormEpsilon: number;
  /** Longest prompt + completion, tokens. */
  contextTokens: number;
  tiedHead: boolean;
  biases: readonly BiasedLinears[];
  /** Each head's queries and keys go through an RMSNorm before the rotary turn. */
  queryKeyNorm: boolean;
  eosTokenId: number;
}

interface Family {
  className: string;
  biases: (raw: Json) => BiasedLinears[];
  queryKeyNorm: boolean;
  /** Where `head_dim` is not stated; null: hidden size / heads. */
  headDim: number | null;
  /** Options of the family beyond those of all. */
  format: (config: PolicyConfig) => Record<string, unknown>;
}

const attentionBiases = (raw: Json): BiasedLinears[] =>
  flagField(raw, 'attention_bias', false) ? ['qkv', 'attentionOutput'] : [];

const families: { [K in Architecture]: Family } = {
  llama: {
    className: 'LlamaForCausalLM',
    biases: (raw) => [...attentionBiases(raw), ...(flagField(raw, 'mlp_bias', false) ? (['mlp'] as const) : [])],
    queryKeyNorm: false,
    headDim: null,
    format: ({ biases }) => ({ attention_bias: biases.includes('qkv'), mlp_bias: biases.includes('mlp') }),
  },
  qwen2: {
    className: 'Qwen2ForCausalLM',
    biases: () => ['qkv'],
    queryKeyNorm: false,
    headDim: null,
    format: () => ({ use_sliding_window: false }),
  },
  qwen3: {
    className: 'Qwen3ForCausalLM',
    biases: attentionBiases,
    queryKeyNorm: true,
    headDim: 128,
    format: ({ biases }) => ({ attention_bias: biases.includes('qkv'), use_sliding_window: false }),
  },
};

/** Keys that are read, or that say nothing about what is computed here. Any other key with a value that is not off is refused. */
const KNOWN_KEYS = new Set(
  (
    'model_type hidden_size num_attention_heads num_key_value_heads head_dim vocab_size num_hidden_layers intermediate_size ' +
    'rope_theta rope_scaling rope_parameters partial_rotary_factor rms_norm_eps max_position_embeddings tie_word_embeddings ' +
    'attention_bias mlp_bias hidden_act eos_token_id quantization_config use_sliding_window sliding_window ' +
    'max_window_layers layer_types rope_interleaved pretraining_tp ' +
    // About files, training or sampling:
    'architectures torch_dtype dtype transformers_version initializer_range use_cache ' +
    'attention_dropout name_or_path is_llama_config transformers.js_config ' +
    'temperature top_p top_k do_sample repetition_penalty max_length chunk_size_feed_forward return_dict id2label label2id ' +
    'is_decoder task_specific_params unsloth_fixed unsloth_version model_name tokenizer_class auto_map waggle_model'
  ).split(' '),
);

/** @throws PolicyError */
export function parsePolicyConfig(json: unknown): PolicyConfig {
  if (!isObject(json)) invalid('it holds no JSON object');
  const raw = json;
  const architecture = raw.model_type;
  if (typeof architecture !== 'string' || !Object.hasOwn(families, architecture))
    refuse(`model_type ${quoted(architecture)}`);
  const family = families[architecture as Architecture];
  refuseOptions(raw);
  const hiddenSize = integerField(raw, 'hidden_size', 8, 16_384);
  const heads = integerField(raw, 'num_attention_heads', 1, 256);
  const kvHeads = integerField(raw, 'num_key_value_heads', 1, 256, heads);
  const headDim = integerField(raw, 'head_dim', 8, 512, family.headDim ?? hiddenSize / heads);
  if (heads % kvHeads !== 0)
    refuse(`num_attention_heads ${heads} that is no multiple of num_key_value_heads ${kvHeads}`);
  // com.microsoft GroupQueryAttention rotates heads of such sizes only.
  if (headDim % 16 !== 0) refuse(`head_dim ${headDim} that is no multiple of 16`);
  const contextTokens = integerField(raw, 'max_position_embeddings', 8, 10_000_000);
  refuseSlidingWindow(raw, contextTokens);
  const vocabularySize = integerField(raw, 'vocab_size', 2, 1_000_000);
  const eos = Array.isArray(raw.eos_token_id) ? (raw.eos_token_id[0] as unknown) : raw.eos_token_id;
  const rope = parseRope(raw, contextTokens);
  return {
    architecture: architecture as Architecture,
    vocabularySize,
    hiddenSize,
    layers: integerField(raw, 'num_hidden_layers', 1, 256),
    heads,
    kvHeads,
    headDim,
    intermediateSize: integerField(raw, 'intermediate_size', 8, 262_144),
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    rmsNormEpsilon: numberField(raw, 'rms_norm_eps', 1e-12, 1e-2, 1e-6),
    contextTokens,
    tiedHead: flagField(raw, 'tie_word_embeddings', false),
    biases: family.biases(raw),
    queryKeyNorm: family.queryKeyNorm,
    eosTokenId: integerField({ eos_token_id: eos }, 'eos_token_id', 0, vocabularySize - 1),
  };
}

/** Every end the file names: a chat model may have several. */
export function namedEnds(json: unknown): number[] {
  const eos = isObject(json) ? json.eos_token_id : null;
  return (Array.isArray(eos) ? (eos as unknown[]) : [eos]).filter((id): id is number => typeof id === 'number');
}

function refuseOptions(raw: Json): void {
  if ((raw.quantization_config ?? null) !== null) refuse('quantization_config');
  if ((raw.hidden_act ?? 'silu') !== 'silu') refuse(`hidden_act ${quoted(raw.hidden_act)}`);
  if ((raw.rope_interleaved ?? false) !== false) refuse('rope_interleaved');
  if ((raw.pretraining_tp ?? 1) !== 1) refuse(`pretraining_tp ${quoted(raw.pretraining_tp)}`);
  for (const [key, value] of Object.entries(raw)) {
    const isOff = value === null || value === false || value === 0;
    const isRemark = key.startsWith('_') || key.endsWith('_token_id');
    if (!isOff && !isRemark && !KNOWN_KEYS.has(key)) refuse(`option ${quoted(key)} (${quoted(value)})`);
  }
}

/** A window that no text outgrows changes nothing. */
function refuseSlidingWindow(raw: Json, contextTokens: number): void {
  const window = raw.sliding_window;
  if (typeof window === 'number' && window >= contextTokens) return;
  if (flagField(raw, 'use_sliding_window', false)) refuse(`use_sliding_window with a window of ${quoted(window)}`);
  const types: unknown[] = Array.isArray(raw.layer_types) ? raw.layer_types : [];
  const other = types.find((type) => type !== 'full_attention');
  if (other !== undefined) refuse(`layer type ${quoted(other)}`);
}

/** The `config.json` that transformers reads back to the same policy. */
export function formatPolicyConfig(config: PolicyConfig): Record<string, unknown> {
  const family = families[config.architecture];
  const ropeScaling = formatRopeScaling(config.ropeScaling);
  return {
    architectures: [family.className],
    model_type: config.architecture,
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    intermediate_size: config.intermediateSize,
    hidden_act: 'silu',
    rope_theta: config.ropeTheta,
    ...(ropeScaling ? { rope_scaling: ropeScaling } : {}),
    rms_norm_eps: config.rmsNormEpsilon,
    max_position_embeddings: config.contextTokens,
    tie_word_embeddings: config.tiedHead,
    ...family.format(config),
    bos_token_id: null,
    eos_token_id: config.eosTokenId,
    torch_dtype: 'float16',
  };
}
