/**
 * The reference's partial credit for lists and matrices. Where it calls a JSON parser or Python's `eval`, a small reader of flat
 * lists and of nested literals stands here.
 *
 * Two deliberate differences: a list holding NaN earns 0 (the reference lets NaN pass for any number), and of what `eval` takes only
 * lists, tuples, integers and plain strings are read. Answers beyond `MAX_CHARS` earn 0.
 */
import { pythonFloat, pythonStrip, stripWhere } from './python-number.ts';
import type { CreditRule } from './credit-rules.ts';

const MAX_CHARS = 65_536;

const SCALAR =
  /[ \t\n\r]*(?:("(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)|(true|false)|(-?Infinity))[ \t\n\r]*/uy;

function floatOfMatch([, quoted, number, boolean, infinity]: RegExpExecArray): number | null {
  if (quoted !== undefined) return pythonFloat(JSON.parse(quoted) as string);
  if (boolean !== undefined) return boolean === 'true' ? 1 : 0;
  if (infinity !== undefined) return infinity.startsWith('-') ? -Infinity : Infinity;
  const value = Number(number);
  // Python refuses to make a float of so large an integer, but reads 1e999 as infinity.
  const isInteger = /^-?[0-9]+$/.test(number!);
  return isInteger && !Number.isFinite(value) ? null : value;
}

/** The numbers of a flat JSON list of numbers, quoted numbers and booleans; null for all else and for NaN. */
function readNumbers(text: string): number[] | null {
  const trimmed = stripWhere(text, (code) => code === 32 || code === 9 || code === 10 || code === 13);
  if (trimmed.length > MAX_CHARS || !trimmed.startsWith('[') || !trimmed.endsWith(']')) return null;
  const inner = trimmed.slice(1, -1);
  if (inner.trim() === '') return [];
  const numbers: number[] = [];
  for (let at = 0; ; at++) {
    SCALAR.lastIndex = at;
    const match = SCALAR.exec(inner);
    const value = match && floatOfMatch(match);
    if (value === null || Number.isNaN(value)) return null;
    numbers.push(value);
    at = SCALAR.lastIndex;
    if (at === inner.length) return numbers;
    if (inner[at] !== ',') return null;
  }
}

/** Sorted the asked way, as many as expected, and none off by more than one. */
export const sortingCredit: CreditRule = (answer, { metadata }) => {
  const expected = (metadata.sorted_numbers as string[]).map(Number);
  const numbers = readNumbers(answer.replaceAll("'", '"'));
  if (numbers?.length !== expected.length) return 0;
  const step = metadata.direction === 'ascending' ? 1 : -1;
  const isSorted = numbers.every((number, i) => i === 0 || step * numbers[i - 1]! <= step * number);
  return isSorted && numbers.every((number, i) => Math.abs(number - expected[i]!) <= 1) ? 1 : 0;
};

type Literal = string | bigint | Literal[];

const MAX_NESTING = 8;
const LITERAL_TOKEN =
  /[ \t\r\n\f]*(?:([[(])|([\])])|(,)|([+-]?(?:0x[0-9a-f]+|[1-9][0-9]*|0+))|'([^'\\\n]*)'|"([^"\\\n]*)")/iy;

function readInteger(text: string): bigint {
  const size = BigInt(text.replace(/^[+-]/, ''));
  return text.startsWith('-') ? -size : size;
}

/** A Python literal of lists, tuples, integers and strings; strings without escapes. Null for anything else. */
function readLiteral(text: string): Literal | null {
  const root: Literal[] = [];
  const open: { items: Literal[]; closer: string; mayItem: boolean; commas: number }[] = [
    { items: root, closer: '', mayItem: true, commas: 0 },
  ];
  LITERAL_TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (LITERAL_TOKEN.lastIndex < end) {
    const match = LITERAL_TOKEN.exec(text);
    if (match === null) return null;
    const [, opener, closer, comma, integer, single, double] = match;
    const top = open.at(-1)!;
    if (comma !== undefined) {
      if (top.mayItem || open.length === 1) return null;
      top.mayItem = true;
      top.commas++;
    } else if (closer !== undefined) {
      if (open.length === 1 || closer !== top.closer) return null;
      open.pop();
      // A parenthesised value is no tuple unless it has a comma.
      if (closer === ')' && top.items.length === 1 && top.commas === 0) {
        const parent = open.at(-1)!.items;
        parent[parent.length - 1] = top.items[0]!;
      }
    } else {
      if (!top.mayItem) return null;
      top.mayItem = false;
      if (opener === undefined) {
        top.items.push(single ?? double ?? readInteger(integer!));
        continue;
      }
      const items: Literal[] = [];
      top.items.push(items);
      if (open.length > MAX_NESTING) return null;
      open.push({ items, closer: opener === '[' ? ']' : ')', mayItem: true, commas: 0 });
    }
  }
  return open.length === 1 && root.length === 1 ? root[0]! : null;
}

/** Items of a list, characters of a string; null for what has no items. */
function itemsOf(literal: Literal): Literal[] | null {
  if (typeof literal === 'bigint') return null;
  return typeof literal === 'string' ? Array.from(literal) : literal;
}

/** The items of a row as Python's `str` would print them; null where one is a list itself. */
function rowText(row: Literal): string | null {
  const items = itemsOf(row);
  return items === null || items.some((item) => Array.isArray(item)) ? null : items.join(' ');
}

/** One for the exact text, a tenth for a list of lists that comes to it. */
export const matrixCredit: CreditRule = (answer, problem) => {
  if (answer === problem.answer) return 1;
  const stripped = pythonStrip(answer);
  const literal = stripped.length > MAX_CHARS ? null : readLiteral(stripped);
  const rows = literal === null ? null : itemsOf(literal)?.map(rowText);
  if (!rows || rows.includes(null)) return 0;
  return rows.join('\n') === problem.answer ? 0.1 : 0;
};
