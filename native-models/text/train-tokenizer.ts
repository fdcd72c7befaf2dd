/**
 * Makes the bundled policy's tokenizer from task texts: byte-level, with whole words for what the tasks say often.
 *
 * Representation: a BPE model with `ignore_merges` and no merges, so a pre-token is one token when the vocabulary has it whole
 * and single bytes otherwise. Pre-tokens: an ASCII letter run with at most one space before it, a single digit, a single other character.
 * ASCII on purpose: \p{L} differs between the Unicode versions of two regex engines, and the ids must be the same everywhere.
 *
 * Leading spaces: `gcd` and ` gcd` are two words, each admitted on its own frequency; digits and punctuation never take a space in.
 * A word of one letter is never admitted: payload letters are the same token wherever they stand.
 * Invariants: deterministic (order of the texts does not matter); every byte is in the vocabulary, so every text can be encoded.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { byteSymbols } from './byte-symbols.ts';
import { TokenizerError } from './tokenizer-error.ts';

export const padToken = '<|pad|>';
export const endToken = '<|end|>';
/** Ordinary text of one token each: they show in decoded completions. */
export const answerTokens = ['<answer>', '</answer>'] as const;

export interface TokenizerTrainingOptions {
  /** A word is admitted when the share of texts that contain it is above this, 0..1. */
  minTextShare: number;
  /** At most so many words; the most frequent stay. */
  maxWords: number;
  /** Words that are payload somewhere (to be spelled, counted, sorted) and so must stay single bytes, without spaces. */
  alwaysSpelled: Iterable<string>;
  /** Stated in tokenizer_config.json, tokens. */
  contextTokens: number;
}

export const tokenizerTrainingDefaults: TokenizerTrainingOptions = {
  minTextShare: 0.004,
  maxWords: 1024,
  alwaysSpelled: [],
  contextTokens: 512,
};

export interface TrainedTokenizer {
  tokenizer: Record<string, unknown>;
  config: Record<string, unknown>;
  /** Admitted words with the share of texts that contain them, most frequent first; a leading space is part of the word. */
  words: { word: string; textShare: number }[];
  texts: number;
}

/** The Split pattern, in the syntax common to JavaScript and Oniguruma. */
export const preTokenPattern = ' ?[A-Za-z]+|[0-9]|[^A-Za-z0-9]';
const wordPattern = / ?[A-Za-z]{2,}/g;

/**
 * Chooses the vocabulary and states it in Hugging Face format.
 * @throws TokenizerError when there is no text or an option is out of range.
 */
export function trainTokenizer(
  texts: Iterable<string>,
  options: Partial<TokenizerTrainingOptions> = {},
): TrainedTokenizer {
  const { minTextShare, maxWords, alwaysSpelled, contextTokens } = { ...tokenizerTrainingDefaults, ...options };
  if (!(minTextShare > 0 && minTextShare < 1)) {
    throw new TokenizerError(
      'badOption',
      null,
      `minTextShare ${minTextShare} is not a share`,
      'Give a number above 0 and below 1.',
    );
  }
  const counted = countWords(texts);
  if (counted.texts === 0)
    throw new TokenizerError(
      'emptyCorpus',
      null,
      'There is no text to train a tokenizer on',
      'Pass at least one task text.',
    );
  const spelled = new Set(alwaysSpelled);
  const words = [...counted.counts]
    .map(([word, count]) => ({ word, textShare: count / counted.texts }))
    .filter(({ word, textShare }) => textShare > minTextShare && !spelled.has(word.trimStart()))
    .sort((a, b) => b.textShare - a.textShare || (a.word < b.word ? -1 : 1))
    .slice(0, maxWords);
  return {
    ...describe(
      words.map(({ word }) => word),
      contextTokens,
    ),
    words,
    texts: counted.texts,
  };
}

/** Writes tokenizer.json and tokenizer_config.json into `directory`, which is made when missing. */
export async function writeTokenizer(
  directory: string,
  trained: Pick<TrainedTokenizer, 'tokenizer' | 'config'>,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(trained.tokenizer, null, 1) + '\n');
  await writeFile(join(directory, 'tokenizer_config.json'), JSON.stringify(trained.config, null, 2) + '\n');
}

/** In how many texts each word occurs. The two answer tokens are cut out first: what is inside them is no word of the text. */
function countWords(texts: Iterable<string>): { counts: Map<string, number>; texts: number } {
  const counts = new Map<string, number>();
  let total = 0;
  for (const text of texts) {
    total += 1;
    const seen = new Set<string>();
    for (const section of text.split(/<\/?answer>/))
      for (const word of section.match(wordPattern) ?? []) seen.add(word);
    for (const word of seen) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return { counts, texts: total };
}

function describe(
  words: readonly string[],
  contextTokens: number,
): { tokenizer: Record<string, unknown>; config: Record<string, unknown> } {
  const symbols = byteSymbols();
  const space = symbols[0x20]!;
  const named = [padToken, endToken, ...answerTokens];
  const vocabulary = [...named, ...symbols, ...words.map((word) => word.replace(' ', space))];
  const added = named.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: id < 2,
  }));
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: preTokenPattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges: [],
    },
  };
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: contextTokens,
    clean_up_tokenization_spaces: false,
    bos_token: null,
    eos_token: endToken,
    pad_token: padToken,
    unk_token: null,
    added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [String(id), token])),
  };
  return { tokenizer, config };
}
