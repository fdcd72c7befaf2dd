/**
 * Text to token ids and back, from a model folder in Hugging Face layout (tokenizer.json, tokenizer_config.json).
 *
 * Knows nothing of prompts, chat templates, or who wrote the text. Wraps @huggingface/tokenizers (pure JavaScript).
 * Invariants: `encode` never yields a special token, whatever the text says, so a text from the wire cannot smuggle in an
 * end-of-text; no token is ever added; `decode` never tidies spaces, so for a byte-level tokenizer decode(encode(t)) = t.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { byteSymbols } from './byte-symbols.ts';
import { TokenizerError } from './tokenizer-error.ts';

export interface Tokenizer {
  /**
   * Ids of `text` as plain text: the characters of a special token in it are encoded like any others.
   * Same as Python's `tokenizers` with `encode_special_tokens = True` and `add_special_tokens=False`.
   */
  encode(text: string): number[];
  /** As `encode`, but special tokens spelled in `text` become their ids: for rendered chat templates, never for untrusted text. */
  encodeTemplate(text: string): number[];
  /** Special tokens are left out; ids beyond the vocabulary (a padded head may sample them) give nothing. */
  decode(ids: readonly number[]): string;
  /** As text: what `encode` never yields and `decode` leaves out. */
  readonly specialTokens: readonly string[];
  /** One more than the largest id; the policy's head may be padded to more. */
  readonly vocabularySize: number;
  /** No token stands for more UTF-16 units of a text, beside what a normaliser composes: n such are at least n / this many tokens. */
  readonly maxTokenCharacters: number;
  readonly eosId: number;
  readonly bosId: number | null;
  readonly padId: number | null;
}

/** The part of the library's class that is used. Stated here because its own type files do not resolve under `nodenext`. */
interface HuggingFaceTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): Map<string, number>;
}
const HuggingFaceTokenizer = LibraryTokenizer as unknown as new (json: Json, config: Json) => HuggingFaceTokenizer;

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

/** Large enough for a vocabulary of 256k tokens with its merges. */
const maxFileBytes = 64 * 1024 * 1024;
const refetch = 'Copy the file again from where the model came from; it must be in Hugging Face "fast" format.';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads the tokenizer of a model folder.
 * @throws TokenizerError when a file is missing, too large, not JSON, or not a tokenizer; `fix` says what to do.
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const file = join(directory, 'tokenizer.json');
  const configFile = join(directory, 'tokenizer_config.json');
  const [json, config] = [await readJson(file), await readJson(configFile)];
  return createTokenizer(json, config, file, configFile);
}

/** As `loadTokenizer`, from already parsed files. The file names are only for messages. */
export function createTokenizer(
  json: Json,
  config: Json,
  file = 'tokenizer.json',
  configFile = 'tokenizer_config.json',
): Tokenizer {
  const addedTokens = checkShape(json, file);
  const specials = addedTokens.filter((token) => token.special).map((token) => token.content);
  const full = build(json, config, file);
  // A second instance that has never heard of the special tokens. Made on demand: a large vocabulary is costly and such texts are rare.
  let plain: HuggingFaceTokenizer | undefined;
  const withoutSpecials = () =>
    (plain ??= build({ ...json, added_tokens: addedTokens.filter((token) => !token.special) }, config, file));

  const idOf = (name: string): number | null => {
    const content = tokenContent(config[name]);
    return content === null ? null : (full.token_to_id(content) ?? null);
  };
  const eosId = idOf('eos_token');
  if (eosId === null) {
    throw new TokenizerError(
      'noEndToken',
      configFile,
      'The tokenizer names no end-of-text token that it also contains',
      'Set "eos_token" to a token of tokenizer.json.',
    );
  }
  let vocabularySize = 0;
  let maxTokenCharacters = 1;
  for (const [token, id] of full.get_vocab()) {
    vocabularySize = Math.max(vocabularySize, id + 1);
    maxTokenCharacters = Math.max(maxTokenCharacters, token.length);
  }

  return {
    encode: (text) => idsOf(specials.some((special) => text.includes(special)) ? withoutSpecials() : full, text),
    encodeTemplate: (text) => idsOf(full, text),
    decode: (ids) => decodeWith(full, ids, vocabularySize),
    specialTokens: specials,
    vocabularySize,
    maxTokenCharacters,
    eosId,
    bosId: idOf('bos_token'),
    padId: idOf('pad_token'),
  };
}

/** Total: what a damaged vocabulary has no token for is left out, as in Python, since texts from the wire come here too. */
function idsOf(tokenizer: HuggingFaceTokenizer, text: string): number[] {
  if (text === '') return [];
  return tokenizer.encode(text, { add_special_tokens: false }).ids.filter((id) => id !== undefined);
}

function decodeWith(tokenizer: HuggingFaceTokenizer, ids: readonly number[], vocabularySize: number): string {
  for (const id of ids) {
    if (!Number.isInteger(id) || id < 0)
      throw new TokenizerError('badTokenId', null, `Not a token id: ${id}`, 'Ids are integers from 0.');
  }
  const known = ids.filter((id) => id < vocabularySize && tokenizer.id_to_token(id) !== undefined);
  if (known.length === 0) return '';
  return tokenizer.decode(known, { skip_special_tokens: true, clean_up_tokenization_spaces: false });
}

function build(json: Json, config: Json, file: string): HuggingFaceTokenizer {
  try {
    return new HuggingFaceTokenizer(json, config);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError('badShape', file, `The tokenizer cannot be used: ${detail}`, refetch, cause);
  }
}

/** Checks what the library takes for granted; returns the added tokens. */
function checkShape(json: Json, file: string): AddedToken[] {
  const fail = (what: string): never => {
    throw new TokenizerError('badShape', file, `Not a tokenizer: ${what}`, refetch);
  };
  const { model, added_tokens: added = [] } = json;
  if (!isObject(model)) return fail('"model" is not an object');
  if (!isObject(model.vocab) && !Array.isArray(model.vocab)) fail('"model.vocab" is missing');
  if (isObject(model.vocab)) {
    const size = Object.keys(model.vocab).length;
    for (const [token, id] of Object.entries(model.vocab)) {
      // Ids may have gaps (added tokens in between) but a stray large one would make a huge sparse table.
      if (!isTokenId(id, size + 65_536)) fail(`token ${JSON.stringify(token.slice(0, 40))} has no valid id`);
    }
  }
  if (model.type === 'BPE' && !Array.isArray(model.merges)) fail('"model.merges" is missing');
  if (isObject(json.decoder) && json.decoder.type === 'ByteLevel' && isObject(model.vocab)) {
    const vocabulary = model.vocab;
    // The library drops, without a word, what it has no token for. Bytes rare in UTF-8 are missing in some good vocabularies.
    const missing = byteSymbols().filter(
      (symbol, byte) => byte > 0x1f && byte < 0x7f && !Object.hasOwn(vocabulary, symbol),
    );
    if (missing.length > 0) fail(`no token for the characters ${missing.join(' ').slice(0, 80)}`);
  }
  if (!Array.isArray(added)) return fail('"added_tokens" is not a list');
  return added.map((token: unknown): AddedToken => {
    if (!isObject(token) || typeof token.content !== 'string' || token.content === '' || !isTokenId(token.id, 1 << 22))
      return fail('an entry of "added_tokens" is not {id, content}');
    return { ...token, id: token.id, content: token.content, special: token.special === true };
  });
}

const isTokenId = (id: unknown, below: number): id is number =>
  Number.isInteger(id) && (id as number) >= 0 && (id as number) < below;

/** tokenizer_config.json states a token as its text or as an object with `content`. */
function tokenContent(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return isObject(value) && typeof value.content === 'string' ? value.content : null;
}

async function readJson(file: string): Promise<Json> {
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > maxFileBytes)
      throw new TokenizerError(
        'tooLarge',
        file,
        `${size} bytes is too large for a tokenizer (limit ${maxFileBytes})`,
        refetch,
      );
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof TokenizerError) throw cause;
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw missing
      ? new TokenizerError('missingFile', file, 'The model folder has no such file', refetch, cause)
      : new TokenizerError(
          'unreadableFile',
          file,
          `The file cannot be read: ${String(cause)}`,
          'Check the permissions of the file and of its folder.',
          cause,
        );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TokenizerError('notJson', file, 'The file is not JSON, or was cut short', refetch, cause);
  }
  if (!isObject(value)) throw new TokenizerError('badShape', file, 'The file holds no JSON object', refetch);
  return value;
}
