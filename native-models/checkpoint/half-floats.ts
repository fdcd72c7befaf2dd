/**
 * Half precision in and out: IEEE binary16 (F16) and bfloat16 (BF16) bit patterns against Float32Array.
 * Knows nothing of files or tensors. Narrowing rounds to nearest, ties to even, as numpy and PyTorch do; widening is exact.
 * A NaN stays a NaN (made quiet); its payload is not kept.
 */

let widened: Float32Array | undefined;

/** The value of each of the 65,536 half patterns; 256 KiB, made on first use. */
function wideningTable(): Float32Array {
  if (widened !== undefined) return widened;
  const table = new Float32Array(65_536);
  for (let half = 0; half < 65_536; half++) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 0x3ff;
    if (exponent === 31) table[half] = fraction === 0 ? sign * Infinity : NaN;
    else if (exponent === 0) table[half] = sign * fraction * 2 ** -24;
    else table[half] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return (widened = table);
}

/** F16 bit patterns to values; `into` (same length) spares an allocation. */
export function float16ToFloat32(bits: Uint16Array, into = new Float32Array(bits.length)): Float32Array {
  const table = wideningTable();
  for (let i = 0; i < bits.length; i++) into[i] = table[bits[i]!]!;
  return into;
}

/** BF16 bit patterns (the upper half of a float's) to values. */
export function bfloat16ToFloat32(bits: Uint16Array, into = new Float32Array(bits.length)): Float32Array {
  const words = new Uint32Array(into.buffer, into.byteOffset, into.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return into;
}

/** Values to F16 bit patterns. From 65,520 on: infinity. Below 2^-25, and at it: zero. Signs are kept. */
export function float32ToFloat16(values: Float32Array, into = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    into[i] = ((word >>> 16) & 0x8000) | narrowMagnitude(word & 0x7fff_ffff);
  }
  return into;
}

function narrowMagnitude(magnitude: number): number {
  if (magnitude > 0x7f80_0000) return 0x7e00; // NaN
  if (magnitude >= 0x477f_f000) return 0x7c00; // 65,520: halfway between the largest half and the next power of two
  if (magnitude >= 0x3880_0000) {
    // Normal half: rebias the exponent by 112; a carry out of the fraction moves into the exponent, as it should.
    return (magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
  }
  if (magnitude <= 0x3300_0000) return 0; // 2^-25 ties to even zero
  const shift = 126 - (magnitude >>> 23); // 14..24
  const fraction = (magnitude & 0x7f_ffff) | 0x80_0000;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const halfway = 1 << (shift - 1);
  return rest > halfway || (rest === halfway && (kept & 1) === 1) ? kept + 1 : kept;
}

/** Values to BF16 bit patterns. */
export function float32ToBfloat16(values: Float32Array, into = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const isNotANumber = (word & 0x7fff_ffff) > 0x7f80_0000;
    into[i] = isNotANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return into;
}
