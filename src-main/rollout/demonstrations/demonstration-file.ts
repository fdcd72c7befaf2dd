/**
 * The owner's demonstrations: a file of JSON lines, each `{"task": REF, "completion": TEXT}` or `{"prompt": TEXT, "completion": TEXT}`.
 * An answer to a task is verified; one to a prompt is its owner's word. The file is read as a stream and never as a whole; what is no
 * demonstration is counted by reason and left out, with the first line of each kind. Knows nothing of policies or training.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describeError, WaggleError } from '../../base/errors.ts';
import { checkAnswer, demonstrationKey, type Demonstration } from './demonstration.ts';

export type DropReason =
  | 'notJson'
  | 'notADemonstration'
  | 'lineTooLong'
  | 'textTooLong'
  | 'controlCharacters'
  | 'unknownTask'
  | 'wrongAnswer'
  | 'repeated'
  | 'beyondLimit';

export interface DemonstrationFile {
  path: string;
  demonstrations: Demonstration[];
  lines: number;
  dropped: Partial<Record<DropReason, { count: number; firstLine: number }>>;
}

export const demonstrationFileLimits = {
  maxFileBytes: 256 * 1024 * 1024,
  maxLineBytes: 128 * 1024,
  maxPromptChars: 32_768,
  maxCompletionChars: 32_768,
  maxDemonstrations: 20_000,
  /** Beyond it lines are not even looked at. */
  maxLines: 200_000,
} as const;
export type DemonstrationFileLimits = { [K in keyof typeof demonstrationFileLimits]: number };

const LINES_PER_TURN = 64;
const NEWLINE = 10;

/** @throws WaggleError `demonstrationFile` when it cannot be read, is too large, or holds not one demonstration */
export async function readDemonstrationFile(
  path: string,
  limits: DemonstrationFileLimits = demonstrationFileLimits,
): Promise<DemonstrationFile> {
  const file: DemonstrationFile = { path, demonstrations: [], lines: 0, dropped: {} };
  const seen = new Set<string>();
  try {
    const { size } = await stat(path);
    if (size > limits.maxFileBytes)
      throw new Error(`it has ${Math.ceil(size / 2 ** 20)} MB, at most ${limits.maxFileBytes / 2 ** 20} MB are read`);
    for await (const line of linesOf(path, limits.maxLineBytes)) {
      file.lines++;
      if (file.lines > limits.maxLines) {
        drop(file, 'beyondLimit');
        break;
      }
      if (line === null) drop(file, 'lineTooLong');
      else if (line.trim() !== '') takeLine(file, line, seen, limits);
      if (file.lines % LINES_PER_TURN === 0) await nextTurn();
    }
  } catch (error) {
    throw unusable(path, describeError(error));
  }
  if (file.demonstrations.length === 0)
    throw unusable(path, `none of its ${file.lines} lines is a demonstration${describeDropped(file.dropped)}`);
  return file;
}

/** "; left out: 3 wrongAnswer (first in line 7), 1 notJson (first in line 2)"; empty where nothing was. */
export function describeDropped(dropped: DemonstrationFile['dropped']): string {
  const parts = Object.entries(dropped).map(
    ([reason, { count, firstLine }]) => `${count} ${reason} (first in line ${firstLine})`,
  );
  return parts.length > 0 ? `; left out: ${parts.join(', ')}` : '';
}

function takeLine(file: DemonstrationFile, line: string, seen: Set<string>, limits: DemonstrationFileLimits): void {
  const parsed = parseLine(line, limits);
  const full = file.demonstrations.length >= limits.maxDemonstrations;
  if (typeof parsed === 'string') drop(file, parsed);
  else if (seen.has(demonstrationKey(parsed))) drop(file, 'repeated');
  else if (full) drop(file, 'beyondLimit');
  else {
    seen.add(demonstrationKey(parsed));
    file.demonstrations.push(parsed);
  }
}

function parseLine(line: string, limits: DemonstrationFileLimits): Demonstration | DropReason {
  let value: unknown;
  try {
    value = JSON.parse(line.trim()); // a byte-order mark counts as space
  } catch {
    return 'notJson';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'notADemonstration';
  const { task, prompt, completion } = value as Record<string, unknown>;
  if (typeof completion !== 'string' || completion === '') return 'notADemonstration';
  if ((task === undefined) === (prompt === undefined)) return 'notADemonstration';
  if (completion.length > limits.maxCompletionChars) return 'textTooLong';
  if (hasControls(completion)) return 'controlCharacters';
  const common = { source: 'file' as const, origin: null, policyName: null, text: completion };
  if (prompt !== undefined) {
    if (typeof prompt !== 'string' || prompt === '') return 'notADemonstration';
    if (prompt.length > limits.maxPromptChars) return 'textTooLong';
    return hasControls(prompt) ? 'controlCharacters' : { ...common, of: { kind: 'prompt', prompt } };
  }
  const checked = checkAnswer(task, completion);
  return checked.ok ? { ...common, of: { kind: 'task', task: checked.instance.ref } } : checked.reason;
}

/** All but tab and line ends; a lone surrogate cannot be tokenised. */
function hasControls(text: string): boolean {
  return /[^\P{Cc}\t\n\r]/u.test(text) || !text.isWellFormed();
}

function drop(file: DemonstrationFile, reason: DropReason): void {
  const counted = (file.dropped[reason] ??= { count: 0, firstLine: file.lines });
  counted.count++;
}

/** Null for a line beyond the limit, of which no more than that is ever held. */
async function* linesOf(path: string, maxBytes: number): AsyncGenerator<string | null> {
  let parts: Buffer[] = [];
  let bytes = 0;
  const take = (part: Buffer): void => {
    bytes += part.length;
    if (bytes <= maxBytes) parts.push(part);
    else parts = [];
  };
  const finished = (): string | null => {
    const line = bytes > maxBytes ? null : Buffer.concat(parts).toString('utf8');
    [parts, bytes] = [[], 0];
    return line;
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, at));
      from = at + 1;
      yield finished();
    }
    take(chunk.subarray(from));
  }
  if (bytes > 0) yield finished();
}

function unusable(path: string, reason: string): WaggleError {
  return new WaggleError({
    code: 'demonstrationFile',
    message: `The file of demonstrations ${path} cannot be used: ${reason}`,
    fix: 'Name a file of JSON lines with --demonstration-file, each {"task": ..., "completion": "..."} or {"prompt": "...", "completion": "..."}; or leave it out.',
    values: { path },
  });
}
