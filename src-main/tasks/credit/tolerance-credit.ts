/**
 * The reference's credit for decimals: right within one unit of the last place of the operands, the difference being rounded to the
 * config's precision first, as Python's decimal context does.
 */
import type { CreditRule } from './credit-rules.ts';
import { pythonDecimal, type FiniteDecimal } from './python-number.ts';

/** Beyond this many digits before the point no answer is near; beyond this many after it only "not zero" matters. */
const MAX_WHOLE_DIGITS = 600;
const PLACES = 600;

/** The value times 10^(PLACES + 1), cut; a last digit of 1 stands for whatever was cut off. Null when far too large. */
function toScaled({ negative, digits, pointAt }: FiniteDecimal): bigint | null {
  if (digits === '') return 0n;
  if (pointAt > MAX_WHOLE_DIGITS) return null;
  const kept = Math.max(0, pointAt + PLACES);
  const size = BigInt(digits.slice(0, kept).padEnd(kept, '0') || '0') * 10n + (digits.length > kept ? 1n : 0n);
  return negative ? -size : size;
}

/** Half-even to `precision` significant digits. */
function roundedSize(value: bigint, precision: number): bigint {
  const size = value < 0n ? -value : value;
  const surplus = String(size).length - precision;
  if (surplus <= 0) return size;
  const unit = 10n ** BigInt(surplus);
  const [quotient, twice] = [size / unit, (size % unit) * 2n];
  const up = twice > unit || (twice === unit && quotient % 2n === 1n);
  return (up ? quotient + 1n : quotient) * unit;
}

export const toleranceCredit: CreditRule = (answer, problem, config) => {
  const [value, right] = [pythonDecimal(answer), pythonDecimal(problem.answer)];
  const [scaled, expected] = [value && toScaled(value), right && toScaled(right)];
  if (scaled === null || expected === null) return 0;
  const difference = roundedSize(scaled - expected, config.precision as number);
  return difference <= 10n ** BigInt(PLACES + 1 - (config.max_num_decimal_places as number)) ? 1 : 0;
};
