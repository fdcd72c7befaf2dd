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

/** Rising; sieved once for the largest `end` asked for so far. */
export function primesBelow(end: number): readonly number[] {
  if (end > knownBelow) {
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
