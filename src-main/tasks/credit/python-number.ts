/**
 * How Python reads numbers out of text: `str.strip`, `int`, `int(text, 0)`, `float` and `Decimal`, which take more than ASCII
 * (digits of any script, underscores). Only the reference's partial credit needs it; strict verdicts take plain ASCII.
 *
 * Invariants: linear in the text, nothing throws; null where Python raises. `int` refuses more than 4,300 digits, as Python does.
 */

/** Python's `\s` of `re` for text, as the inside of a character class. */
export const PYTHON_SPACES = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACE_CODES: ReadonlySet<number> = new Set(
  Array.from({ length: 0x3001 }, (_, code) => code).filter((code) =>
    new RegExp(`[${PYTHON_SPACES}]`).test(String.fromCharCode(code)),
  ),
);
const MAX_INTEGER_DIGITS = 4300;

/** Without the characters at both ends that `isStripped` takes. */
export function stripWhere(text: string, isStripped: (code: number) => boolean): string {
  let start = 0;
  let end = text.length;
  while (start < end && isStripped(text.charCodeAt(start))) start++;
  while (end > start && isStripped(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** `text.strip()`. */
export function pythonStrip(text: string): string {
  return stripWhere(text, (code) => SPACE_CODES.has(code));
}

function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

/** What `int` and `float` strip by themselves: of ASCII text only what C calls space. */
function stripNumber(text: string): string {
  return isAscii(text) ? stripWhere(text, (code) => code === 32 || (code >= 9 && code <= 13)) : pythonStrip(text);
}

/** `len(text)`: code points, not UTF-16 units. */
export function pythonLength(text: string): number {
  let length = text.length;
  for (let i = 0; i + 1 < text.length; i++) {
    const isPair = (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    if (isPair) length--;
  }
  return length;
}

/** Digits of every script become ASCII ones: they come in runs of ten, from zero on. */
function asciiDigits(text: string): string {
  if (isAscii(text)) return text;
  return text.replace(/\P{ASCII}/gu, (char) => {
    if (!/^\p{Nd}$/u.test(char)) return char;
    const point = char.codePointAt(0)!;
    let first = point;
    while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first--;
    return String((point - first) % 10);
  });
}

/** More than the digits, underscores, sign and prefix of the longest integer that is read. */
function isTooLong(text: string): boolean {
  return pythonStrip(text).length > 2 * MAX_INTEGER_DIGITS + 4;
}

/** `int(text)`. */
export function pythonInteger(text: string): bigint | null {
  if (isTooLong(text)) return null;
  const match = /^([+-]?)([0-9]+(?:_[0-9]+)*)$/.exec(asciiDigits(stripNumber(text)));
  if (match === null) return null;
  const digits = match[2]!.replaceAll('_', '');
  if (digits.length > MAX_INTEGER_DIGITS) return null;
  return match[1] === '-' ? -BigInt(digits) : BigInt(digits);
}

/** `int(text, 0)`: a prefix says the base, decimals have no leading zeros. Null too beyond 4,300 digits of any base. */
export function pythonPrefixedInteger(text: string): bigint | null {
  if (isTooLong(text)) return null;
  const stripped = asciiDigits(stripNumber(text));
  const match = /^([+-]?)(0x(?:_?[0-9a-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+|[1-9](?:_?[0-9])*|0(?:_?0)*)$/i.exec(stripped);
  if (match === null) return null;
  const digits = match[2]!.replaceAll('_', '').toLowerCase();
  if (digits.length > MAX_INTEGER_DIGITS) return null;
  return match[1] === '-' ? -BigInt(digits) : BigInt(digits);
}

/** `float(text)`, NaN and infinities included. */
export function pythonFloat(text: string): number | null {
  const plain = asciiDigits(stripNumber(text)).toLowerCase();
  const digits = '[0-9](?:_?[0-9])*';
  if (new RegExp(`^[+-]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[+-]?${digits})?$`).test(plain))
    return Number(plain.replaceAll('_', ''));
  const word = /^([+-]?)(inf|infinity|nan)$/.exec(plain);
  if (word === null) return null;
  if (word[2] === 'nan') return NaN;
  return word[1] === '-' ? -Infinity : Infinity;
}

/** A finite decimal in lowest terms: `digits` has no zeros at either end and is empty for zero; its point stands before `digits`. */
export interface FiniteDecimal {
  negative: boolean;
  digits: string;
  /** Power of ten of the first digit, plus one; clamped to +-10^15, which is far beyond any use. */
  pointAt: number;
}

const FARTHEST = 1e15;

/** `Decimal(text)`; null where Python raises and for NaN and infinities, which equal nothing finite. */
export function pythonDecimal(text: string): FiniteDecimal | null {
  const plain = asciiDigits(pythonStrip(text)).replaceAll('_', '');
  const match = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:e([+-]?[0-9]+))?$/i.exec(plain);
  if (match === null) return null;
  const whole = match[2] ?? '';
  const all = whole + (match[3] ?? match[4] ?? '');
  let start = 0;
  let end = all.length;
  while (start < end && all[start] === '0') start++;
  while (end > start && all[end - 1] === '0') end--;
  const exponent = Math.min(Math.max(Number(match[5] ?? 0), -FARTHEST), FARTHEST);
  return {
    negative: match[1] === '-' && start < end,
    digits: all.slice(start, end),
    pointAt: start < end ? whole.length - start + exponent : 0,
  };
}

export function equalDecimals(a: FiniteDecimal, b: FiniteDecimal): boolean {
  return a.negative === b.negative && a.pointAt === b.pointAt && a.digits === b.digits;
}
