/**
 * How CPython and numpy write and round numbers, where the reference library's instances depend on it.
 * Knows nothing of tasks.
 */

/** `str(float)`: the shortest text that reads back equal, ".0" for whole numbers, exponent outside [1e-4, 1e16). */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`floatText needs a finite number, got ${value}`);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const size = Math.abs(value);
  if (size === 0) return `${sign}0.0`;
  const [mantissa, exponentText] = size.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  const digits = mantissa.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

/** C's rint: to the nearest integer, ties to even, keeping the sign of zero. */
function rint(value: number): number {
  const floor = Math.floor(value);
  const part = value - floor;
  if (part === 0) return value;
  const up = part > 0.5 || (part === 0.5 && floor % 2 !== 0);
  const rounded = up ? floor + 1 : floor;
  return rounded === 0 && value < 0 ? -0 : rounded;
}

/** `numpy.round(value, decimals)` for a float64: scale, rint, scale back. */
export function numpyRound(value: number, decimals: number): number {
  if (decimals === 0) return rint(value);
  const scale = 10 ** decimals;
  return rint(value * scale) / scale;
}

/** `f"{coefficient * 10**-places:.{places}f}"` of an exact decimal. */
export function fixedText(coefficient: bigint, places: number): string {
  const digits = String(coefficient < 0n ? -coefficient : coefficient).padStart(places + 1, '0');
  const sign = coefficient < 0n ? '-' : '';
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** `str(Decimal)` of coefficient * 10**-places, places >= 0: scientific once the leading digit lies beyond the sixth place. */
export function decimalText(coefficient: bigint, places: number): string {
  const digits = String(coefficient < 0n ? -coefficient : coefficient);
  const adjusted = digits.length - 1 - places;
  if (adjusted >= -6) return fixedText(coefficient, places);
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${coefficient < 0n ? '-' : ''}${digits.slice(0, 1)}${fraction}E${adjusted}`;
}

/** Integers beyond 2^53 do not survive JSON numbers, so metadata holds them as decimal text. */
export function jsonInteger(value: bigint): number | string {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : String(value);
}
