/** The model card of an exported policy: Markdown with the front matter that the Hugging Face hub reads. Knows no rewards. */
import type { AdapterConfig } from './adapter.ts';
import type { PolicyConfig } from './policy-config.ts';

export interface CardFacts {
  /** Name of the policy that training started from. */
  base: string;
  /** `adapter`: the folder holds the matrices alone. */
  form: 'policy' | 'adapter';
  config: PolicyConfig;
  adapter: AdapterConfig | null;
  /** Second adapter, worked in, of a policy that BRIDGE trained. */
  bridge?: AdapterConfig | null;
  /** Optimiser steps since the base. */
  steps: number;
}

export function policyCard({ base, form, config, adapter, bridge, steps }: CardFacts): string {
  // A folder's name is its owner's: only what cannot break out of the front matter is repeated.
  const name = base.replace(/[^\w. /+-]/g, '').slice(0, 100) || 'policy';
  const frontMatter = [
    '---',
    `library_name: ${form === 'adapter' ? 'peft' : 'transformers'}`,
    'pipeline_tag: text-generation',
    `base_model: "${name}"`,
    'tags: [waggle, reinforcement-learning]',
    '---',
  ];
  const trained = adapter
    ? `a LoRA adapter of rank ${adapter.rank}, alpha ${adapter.alpha}, on ${adapter.targets.join(', ')}`
    : 'all weights';
  const imitation = bridge
    ? `, and at once by imitating right answers (BRIDGE, second adapter of rank ${bridge.rank})`
    : '';
  const { layers, hiddenSize, heads, kvHeads, vocabularySize, contextTokens } = config;
  return [
    ...frontMatter,
    '',
    `# ${name}, trained with Waggle`,
    '',
    `- Base: ${name} (${config.architecture}, ${layers} layers, ${hiddenSize} wide, ${heads} heads over ${kvHeads}, vocabulary ${vocabularySize}, context ${contextTokens} tokens).`,
    `- Trained: ${trained}, by reinforcement learning on tasks whose answers a program checks${imitation}; ${steps} optimiser steps.`,
    form === 'adapter'
      ? '- This folder holds the adapter alone: load the base first, then this with `peft.PeftModel.from_pretrained`.'
      : `- This folder is the whole policy${adapter ? ', the adapter worked into its weights' : ''}: load it with \`transformers.AutoModelForCausalLM.from_pretrained\`.`,
    "- The base's licence applies.",
    '',
  ].join('\n');
}
