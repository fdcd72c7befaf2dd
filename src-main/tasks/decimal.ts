/**
 * Decimal numbers with a limited number of significant digits, as Python's `decimal` computes them under ROUND_HALF_EVEN.
 * Knows nothing of tasks, NaN or infinities; exponents are those that a few operations on short literals can reach.
 * Source: the General Decimal Arithmetic Specification (ideal exponents, to-scientific-string).
 */

/** (negative ? -1 : 1) * coefficient * 10^exponent; `coefficient` is 0 or more. Zeros have signs and exponents too. */
export interface Decimal {
  negative: boolean;
  coefficient: bigint;
  exponent: number;
}

export class DecimalDivisionError extends Error {
  readonly code = 'TASK_DECIMAL_DIVISION';
}

/** Reads what `floatText` and integers look like: digits, one point, an exponent. @throws SyntaxError, a bug of the caller */
export function parseDecimal(text: string): Decimal {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:e([+-]?[0-9]+))?$/i.exec(text);
  if (match === null) throw new SyntaxError(`not a decimal: ${text}`);
  const fraction = match[3] ?? '';
  return {
    negative: match[1] === '-',
    coefficient: BigInt(match[2]! + fraction),
    exponent: Number(match[4] ?? 0) - fraction.length,
  };
}

function digitCount(coefficient: bigint): number {
  return String(coefficient).length;
}

/** To at most `precision` digits, ties to even. */
function rounded(value: Decimal, precision: number): Decimal {
  const surplus = digitCount(value.coefficient) - precision;
  if (surplus <= 0) return value;
  const unit = 10n ** BigInt(surplus);
  const rest = value.coefficient % unit;
  let coefficient = value.coefficient / unit;
  const twice = rest * 2n;
  if (twice > unit || (twice === unit && coefficient % 2n === 1n)) coefficient++;
  // 99.9 may have become 100: one digit more, which is a zero.
  return rounded({ negative: value.negative, coefficient, exponent: value.exponent + surplus }, precision);
}

function scaledTo(value: Decimal, exponent: number): bigint {
  const size = value.coefficient * 10n ** BigInt(value.exponent - exponent);
  return value.negative ? -size : size;
}

export function addDecimals(a: Decimal, b: Decimal, precision: number): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = scaledTo(a, exponent) + scaledTo(b, exponent);
  // A zero sum is positive unless both were negative.
  const negative = sum < 0n || (sum === 0n && a.negative && b.negative);
  return rounded({ negative, coefficient: sum < 0n ? -sum : sum, exponent }, precision);
}

export function subtractDecimals(a: Decimal, b: Decimal, precision: number): Decimal {
  return addDecimals(a, { ...b, negative: !b.negative }, precision);
}

export function multiplyDecimals(a: Decimal, b: Decimal, precision: number): Decimal {
  return rounded(
    {
      negative: a.negative !== b.negative,
      coefficient: a.coefficient * b.coefficient,
      exponent: a.exponent + b.exponent,
    },
    precision,
  );
}

/** @throws DecimalDivisionError by zero */
export function divideDecimals(a: Decimal, b: Decimal, precision: number): Decimal {
  if (b.coefficient === 0n) throw new DecimalDivisionError('division by zero');
  const negative = a.negative !== b.negative;
  const ideal = a.exponent - b.exponent;
  if (a.coefficient === 0n) return { negative, coefficient: 0n, exponent: ideal };
  const shift = Math.max(0, digitCount(b.coefficient) - digitCount(a.coefficient) + precision + 1);
  const dividend = a.coefficient * 10n ** BigInt(shift);
  let coefficient = dividend / b.coefficient;
  let exponent = ideal - shift;
  if (coefficient * b.coefficient !== dividend) {
    // Something follows the digits at hand: a last digit of 0 or 5 must not look like an exact or a half one.
    if (coefficient % 5n === 0n) coefficient++;
  } else {
    for (; exponent < ideal && coefficient % 10n === 0n; exponent++) coefficient /= 10n;
  }
  return rounded({ negative, coefficient, exponent }, precision);
}

/** `str(Decimal)`. */
export function decimalString({ negative, coefficient, exponent }: Decimal): string {
  const digits = String(coefficient);
  const sign = negative ? '-' : '';
  const adjusted = exponent + digits.length - 1;
  if (exponent > 0 || adjusted < -6) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits.slice(0, 1)}${fraction}E${adjusted < 0 ? '-' : '+'}${Math.abs(adjusted)}`;
  }
  return sign + pointed(digits, -exponent);
}

/** Digits and point only, without exponent; zero is "0". */
export function decimalPlainText({ negative, coefficient, exponent }: Decimal): string {
  if (coefficient === 0n) return '0';
  const whole = exponent > 0 ? coefficient * 10n ** BigInt(exponent) : coefficient;
  return (negative ? '-' : '') + pointed(String(whole), Math.max(0, -exponent));
}

function pointed(digits: string, places: number): string {
  if (places === 0) return digits;
  const padded = digits.padStart(places + 1, '0');
  return `${padded.slice(0, -places)}.${padded.slice(-places)}`;
}
