/** Integer facts that several generators and manners need. Arguments are safe integers, 0 or more unless said. */

export function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

export function gcdBig(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** Prime factors in rising order with repetition; `n` at least 2. Time grows with the square root of n. */
export function primeFactors(n: number): number[] {
  const factors: number[] = [];
  let rest = n;
  for (let divisor = 2; divisor * divisor <= rest; divisor++) {
    while (rest % divisor === 0) {
      factors.push(divisor);
      rest /= divisor;
    }
  }
  if (rest > 1) factors.push(rest);
  return factors;
}

let knownPrimes: readonly number[] = [];
let knownBelow = 0;

/** Rising; sieved once for the largest `end` asked for so far, a million at most. */
function primesBelow(end: number): readonly number[] {
  if (end > knownBelow) {
    if (end > 1_000_001) throw new RangeError(`primesBelow: ${end} is too far`);
    const isComposite = new Uint8Array(end);
    const primes: number[] = [];
    for (let n = 2; n < end; n++) {
      if (isComposite[n] === 1) continue;
      primes.push(n);
      for (let multiple = n * n; multiple < end; multiple += n) isComposite[multiple] = 1;
    }
    [knownPrimes, knownBelow] = [primes, end];
  }
  const first = knownPrimes.findIndex((prime) => prime >= end);
  return first < 0 ? knownPrimes : knownPrimes.slice(0, first);
}

/** Divisors of `size` (1 or more) below `end` (1,000,001 at most), in rising order; 1 is always among them. */
export function divisorsBelow(size: number | bigint, end: number): number[] {
  const isDivisor =
    typeof size === 'bigint'
      ? (divisor: number) => size % BigInt(divisor) === 0n
      : (divisor: number) => size % divisor === 0;
  let divisors = [1];
  for (const prime of primesBelow(end)) {
    if (!isDivisor(prime)) continue;
    const smaller = divisors;
    for (let power = prime; power < end && isDivisor(power); power *= prime) {
      const multiples = smaller.map((divisor) => divisor * power).filter((divisor) => divisor < end);
      divisors = [...divisors, ...multiples];
    }
  }
  return divisors.sort((a, b) => a - b);
}
