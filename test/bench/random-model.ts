/**
 * A model folder in Hugging Face layout with random weights, and a tokenizer as large as its vocabulary: the bundled policy's,
 * grown by made-up tokens and merges. What is measured with it depends on shapes only. Knows nothing of measuring.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { initialParameters } from '../../native-models/policy/parameters.ts';
import { savePolicyFolder } from '../../native-models/policy/load-policy.ts';
import { parsePolicyConfig } from '../../native-models/policy/policy-config.ts';
import { bundledPolicyDirectory } from '../../src-main/engine/policy/bundled-policy.ts';

interface TokenizerFile {
  model: { vocab: Record<string, number>; merges: [string, string][] };
}

/** @param config fields of config.json that differ from a small Llama's */
export async function writeRandomModel(directory: string, config: Record<string, unknown>): Promise<void> {
  const parsed = parsePolicyConfig({ model_type: 'llama', eos_token_id: 1, tie_word_embeddings: true, ...config });
  const tokenizer = `${directory}.tokenizer`;
  await mkdir(tokenizer, { recursive: true });
  const bundled = bundledPolicyDirectory();
  const file = JSON.parse(await readFile(join(bundled, 'tokenizer.json'), 'utf8')) as TokenizerFile;
  grow(file, parsed.vocabularySize);
  await writeFile(join(tokenizer, 'tokenizer.json'), JSON.stringify(file));
  const settings = await readFile(join(bundled, 'tokenizer_config.json'));
  await writeFile(join(tokenizer, 'tokenizer_config.json'), settings);
  const weights = initialParameters(parsed, numbers(7));
  await savePolicyFolder(directory, { config: parsed, weights, dtype: 'float16', tokenizerFrom: tokenizer });
  await rm(tokenizer, { recursive: true });
}

/** Adds tokens that are two known ones in a row, as training on text would. */
function grow({ model }: TokenizerFile, size: number): void {
  const known = Object.keys(model.vocab).filter((token) => !token.startsWith('<'));
  let id = Math.max(...Object.values(model.vocab)) + 1;
  for (let right = 0; id < size; right++) {
    for (let left = 0; left < known.length && id < size; left++) {
      const token = known[left]! + known[right]!;
      if (token in model.vocab) continue;
      model.vocab[token] = id++;
      model.merges.push([known[left]!, known[right]!]);
      if (known.length < 2000) known.push(token);
    }
  }
}

/** Numbers in [0,1) that are the same in every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
}
