/**
 * The chat template of a model folder: messages -> the text a chat model was trained to continue. Rendered by a kept Jinja
 * (@huggingface/jinja). Knows nothing of tasks.
 *
 * Invariants: the same messages give the same text (no clock is handed to the template, so those that print today's date print
 * their own default); what a message says cannot end its turn: special tokens spelled in it are taken out before rendering.
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as library from '@huggingface/jinja';
import { TokenizerError } from './tokenizer-error.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}
export interface ChatTemplate {
  /** @param opensAnswer ends with the opening of the assistant's turn. @throws TokenizerError `badTemplate` */
  render(messages: readonly ChatMessage[], opensAnswer: boolean): string;
}

/** The parts of the library that are used. Stated here because its own type files do not resolve under `nodenext`. */
interface Library {
  tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => unknown;
  parse: (tokens: unknown) => unknown;
  Environment: new () => { set(name: string, value: unknown): void };
  Interpreter: new (environment: unknown) => { run(program: unknown): { value: string } };
}
const jinja = library as unknown as Library;

type Json = Record<string, unknown>;

const FILE = 'chat_template.jinja';
const CONFIG = 'tokenizer_config.json';
const MAX_TEMPLATE_BYTES = 256 * 1024;
const MAX_RANGE = 10_000;
/** What transformers gives every template, but for the clock. */
const GLOBALS = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  raise_exception: (message: unknown): never => {
    throw new Error(String(message));
  },
  range: (first: number, end?: number, step = 1): number[] => {
    const [from, to] = end === undefined ? [0, first] : [first, end];
    const count = Math.max(0, Math.ceil((to - from) / step));
    if (!(count <= MAX_RANGE)) throw new Error(`range of ${count} numbers`);
    return Array.from({ length: count }, (_, i) => from + i * step);
  },
};
const FIX = 'Copy the tokenizer files of the model again, or remove the template to prompt it with plain text.';

/** Null when the folder has no template: a base model. @throws TokenizerError when it has one that cannot be used */
export async function loadChatTemplate(directory: string): Promise<ChatTemplate | null> {
  const config = JSON.parse((await readText(join(directory, CONFIG))) ?? '{}') as Json;
  const own = await readText(join(directory, FILE));
  const source = own ?? namedTemplate(config.chat_template);
  return source === null ? null : createChatTemplate(source, config, join(directory, own === null ? CONFIG : FILE));
}

/** @param config tokenizer_config.json: templates may print its special tokens by name */
export function createChatTemplate(source: string, config: Json, file = FILE): ChatTemplate {
  const fail = (what: string, cause: unknown): never => {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError('badTemplate', file, `${what}: ${detail.slice(0, 200)}`, FIX, cause);
  };
  let program: unknown;
  try {
    program = jinja.parse(jinja.tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  } catch (cause) {
    return fail('The chat template cannot be read', cause);
  }
  const tokens = Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      const content = typeof value === 'object' && value !== null ? (value as Json).content : value;
      return key.endsWith('_token') && typeof content === 'string' ? [[key, content]] : [];
    }),
  );
  return {
    render(messages, opensAnswer) {
      const environment = new jinja.Environment();
      const names = {
        ...GLOBALS,
        ...tokens,
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: opensAnswer,
        tools: null,
        documents: null,
      };
      for (const [name, value] of Object.entries(names)) environment.set(name, value);
      try {
        return new jinja.Interpreter(environment).run(program).value;
      } catch (cause) {
        return fail('The chat template refuses these messages', cause);
      }
    },
  };
}

/** Token ids of a conversation up to where the assistant is to answer. */
export function chatPromptTokens(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
): number[] {
  const harmless = messages.map(({ role, content }) => ({ role, content: withoutSpecials(tokenizer, content) }));
  return tokenizer.encodeTemplate(template.render(harmless, true));
}

function withoutSpecials(tokenizer: Tokenizer, text: string): string {
  let clean = text;
  // Taking one out may join the halves of another, so it goes on until none is left.
  for (let found = true; found;) {
    found = false;
    for (const special of tokenizer.specialTokens) {
      if (!clean.includes(special)) continue;
      clean = clean.split(special).join('');
      found = true;
    }
  }
  return clean;
}

/** A text, or a list of named ones of which `default` is meant. */
function namedTemplate(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  const found = (value as unknown[]).find((entry) => (entry as Json | null)?.name === 'default') as Json | undefined;
  return typeof found?.template === 'string' ? found.template : null;
}

async function readText(file: string): Promise<string | null> {
  try {
    const { size } = await stat(file);
    if (file.endsWith(FILE) && size > MAX_TEMPLATE_BYTES)
      throw new TokenizerError('tooLarge', file, `${size} bytes is too large for a chat template`, FIX);
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw cause;
  }
}
