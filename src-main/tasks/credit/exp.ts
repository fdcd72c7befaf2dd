/**
 * e^x to the nearest double, which `Math.exp` does not promise: a credit must be equal on every machine and to the reference's.
 * By argument reduction and a series in fixed-point integers.
 */

const BITS = 220n;
const ONE = 1n << BITS;

/** The sum of 1 / (n * 2^n). */
const LN_2 = Array.from({ length: 220 }, (_, i) => ONE / (BigInt(i + 1) << BigInt(i + 1))).reduce((a, b) => a + b);

/** A double as a multiple of 2^-220; what is smaller is cut off. */
function toFixed(x: number): bigint {
  const high = Math.trunc(x);
  // The fraction of a double above 2^-52 in size is a multiple of 2^-104.
  const low = (x - high) * 2 ** 104;
  return (BigInt(high) << BITS) + (BigInt(Math.trunc(low)) << (BITS - 104n));
}

/** `x` from -infinity to 0. */
export function expOf(x: number): number {
  if (x < -746) return 0;
  const halvings = Math.round(x / Math.LN2);
  const rest = toFixed(x) - BigInt(halvings) * LN_2;
  let term = ONE;
  let sum = ONE;
  for (let n = 1n; term !== 0n && term !== -1n; n++) {
    term = (term * rest) / (ONE * n);
    sum += term;
  }
  return (Number(sum) / 2 ** Number(BITS)) * 2 ** halvings;
}
