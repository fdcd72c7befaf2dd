/**
 * Hugging Face `config.json` of a Llama-style decoder -> the sizes the graphs are built from. Untrusted input: every number
 * is checked for range, and an architecture or option this engine does not compute is refused by name.
 */

export interface PolicyConfig {
  architecture: 'llama';
  vocabularySize: number;
  hiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  intermediateSize: number;
  ropeTheta: number;
  rmsNormEpsilon: number;
  /** Longest prompt + completion, tokens. */
  contextTokens: number;
  tiedHead: boolean;
  eosTokenId: number;
}

/** A model folder that cannot be used; `fix` says what to do. */
export class PolicyError extends Error {
  readonly code: 'policyUnsupported' | 'policyInvalid' | 'policyMissing';
  readonly fix: string;
  constructor(code: PolicyError['code'], message: string, fix: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyError';
    this.code = code;
    this.fix = fix;
  }
}

const USE_ANOTHER = 'Choose another model folder (--policy-directory), or leave it empty for the bundled policy.';

function number(raw: Record<string, unknown>, key: string, min: number, max: number, fallback?: number): number {
  const value = raw[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
    throw new PolicyError(
      'policyInvalid',
      `config.json: ${key} must be a number from ${min} to ${max}, it is ${JSON.stringify(value)}`,
      USE_ANOTHER,
    );
  }
  return value;
}

function integer(raw: Record<string, unknown>, key: string, min: number, max: number, fallback?: number): number {
  const value = number(raw, key, min, max, fallback);
  if (!Number.isInteger(value)) {
    throw new PolicyError('policyInvalid', `config.json: ${key} must be a whole number, it is ${value}`, USE_ANOTHER);
  }
  return value;
}

function refuse(what: string): never {
  throw new PolicyError('policyUnsupported', `config.json: ${what} is not supported yet`, USE_ANOTHER);
}

/** `rope_theta` stands at the top level, or since transformers 5 inside `rope_parameters`. */
function ropeTheta(raw: Record<string, unknown>): number {
  const nested = (raw.rope_parameters ?? raw.rope_scaling ?? null) as Record<string, unknown> | null;
  const type = nested?.rope_type ?? nested?.type ?? 'default';
  if (type !== 'default') refuse(`rope type ${JSON.stringify(type)}`);
  if ((raw.partial_rotary_factor ?? nested?.partial_rotary_factor ?? 1) !== 1) refuse('partial_rotary_factor');
  return number({ rope_theta: raw.rope_theta ?? nested?.rope_theta }, 'rope_theta', 1, 1e12, 10_000);
}

/** @throws PolicyError */
export function parsePolicyConfig(json: unknown): PolicyConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new PolicyError('policyInvalid', 'config.json holds no JSON object', USE_ANOTHER);
  }
  const raw = json as Record<string, unknown>;
  if (raw.model_type !== 'llama') refuse(`model_type ${JSON.stringify(raw.model_type)}`);
  if (raw.attention_bias === true) refuse('attention_bias true');
  if (raw.quantization_config !== undefined && raw.quantization_config !== null) refuse('quantization_config');
  if (raw.mlp_bias === true) refuse('mlp_bias true');
  if ((raw.hidden_act ?? 'silu') !== 'silu') refuse(`hidden_act ${JSON.stringify(raw.hidden_act)}`);
  const hiddenSize = integer(raw, 'hidden_size', 8, 16_384);
  const heads = integer(raw, 'num_attention_heads', 1, 256);
  const kvHeads = integer(raw, 'num_key_value_heads', 1, 256, heads);
  const headDim = integer(raw, 'head_dim', 8, 512, hiddenSize / heads);
  if (heads % kvHeads !== 0)
    refuse(`num_attention_heads ${heads} that is no multiple of num_key_value_heads ${kvHeads}`);
  // com.microsoft GroupQueryAttention rotates heads of such sizes only.
  if (headDim % 16 !== 0) refuse(`head_dim ${headDim} that is no multiple of 16`);
  const eos = Array.isArray(raw.eos_token_id) ? (raw.eos_token_id[0] as unknown) : raw.eos_token_id;
  const vocabularySize = integer(raw, 'vocab_size', 2, 1_000_000);
  return {
    architecture: 'llama',
    vocabularySize,
    hiddenSize,
    layers: integer(raw, 'num_hidden_layers', 1, 256),
    heads,
    kvHeads,
    headDim,
    intermediateSize: integer(raw, 'intermediate_size', 8, 262_144),
    ropeTheta: ropeTheta(raw),
    rmsNormEpsilon: number(raw, 'rms_norm_eps', 1e-12, 1e-2, 1e-6),
    contextTokens: integer(raw, 'max_position_embeddings', 8, 10_000_000),
    tiedHead: raw.tie_word_embeddings === true,
    eosTokenId: integer({ eos_token_id: eos }, 'eos_token_id', 0, vocabularySize - 1),
  };
}

/** The `config.json` that transformers reads back to the same policy. */
export function formatPolicyConfig(config: PolicyConfig): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    intermediate_size: config.intermediateSize,
    hidden_act: 'silu',
    rope_theta: config.ropeTheta,
    rms_norm_eps: config.rmsNormEpsilon,
    max_position_embeddings: config.contextTokens,
    tie_word_embeddings: config.tiedHead,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: null,
    eos_token_id: config.eosTokenId,
    torch_dtype: 'float16',
  };
}
