/** The alphabet of byte-level vocabularies. Knows nothing of tokens or files. */

/**
 * The printable character that stands for each byte in byte-level vocabularies (GPT-2's table): visible Latin-1
 * characters stand for themselves, the other 68 bytes take U+0100 upwards in byte order.
 */
export function byteSymbols(): string[] {
  const visible = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : next++));
}
