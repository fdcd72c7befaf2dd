/**
 * Reads a QR code from its modules, after ISO/IEC 18004 and independent of what drew it: format, mask, zigzag, blocks with their
 * Reed-Solomon remainders checked to be zero, byte mode. Knows level L and versions up to 22, which every invite fits.
 * Throws on anything that a phone could not read without repairing it.
 */
const ecPerBlock = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28];
const blockCounts = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9];
const masks: readonly ((row: number, column: number) => boolean)[] = [
  (i, j) => (i + j) % 2 === 0,
  (i) => i % 2 === 0,
  (_, j) => j % 3 === 0,
  (i, j) => (i + j) % 3 === 0,
  (i, j) => (Math.floor(i / 2) + Math.floor(j / 3)) % 2 === 0,
  (i, j) => ((i * j) % 2) + ((i * j) % 3) === 0,
  (i, j) => (((i * j) % 2) + ((i * j) % 3)) % 2 === 0,
  (i, j) => (((i + j) % 2) + ((i * j) % 3)) % 2 === 0,
];

/** `modules[row][column]`, true is dark, without the quiet zone. */
export function readQr(modules: readonly (readonly boolean[])[]): string {
  const size = modules.length;
  const version = (size - 17) / 4;
  if (!Number.isInteger(version) || version < 1 || version > ecPerBlock.length)
    throw new Error(`${size} modules a side`);
  const at = (row: number, column: number): boolean => modules[row]![column]!;
  const mask = masks[readMask(at, size)]!;
  const codewords: number[] = [];
  let [bits, count] = [0, 0];
  for (const [row, column] of zigzag(size)) {
    if (isFunction(row, column, size, version)) continue;
    bits = (bits << 1) | Number(at(row, column) !== mask(row, column));
    if (++count % 8 === 0) {
      codewords.push(bits & 0xff);
      bits = 0;
    }
  }
  return textOf(dataOf(codewords, version), version);
}

function readMask(at: (row: number, column: number) => boolean, size: number): number {
  const first = [0, 1, 2, 3, 4, 5]
    .map((j) => at(8, j))
    .concat(
      at(8, 7),
      at(8, 8),
      at(7, 8),
      [5, 4, 3, 2, 1, 0].map((i) => at(i, 8)),
    );
  const second = [1, 2, 3, 4, 5, 6, 7]
    .map((i) => at(size - i, 8))
    .concat([8, 7, 6, 5, 4, 3, 2, 1].map((j) => at(8, size - j)));
  const valueOf = (dark: boolean[]): number => dark.reduce((value, bit) => (value << 1) | Number(bit), 0) ^ 0x5412;
  const format = valueOf(first);
  if (valueOf(second) !== format) throw new Error('the two copies of the format differ');
  let rest = format;
  for (let bit = 14; bit >= 10; bit--) if ((rest >> bit) & 1) rest ^= 0x537 << (bit - 10);
  if (rest !== 0) throw new Error('the format is damaged');
  if (format >> 13 !== 1) throw new Error('not level L');
  return (format >> 10) & 7;
}

/** Column pairs from the right, upwards and downwards in turn, past the timing column. */
function* zigzag(size: number): Generator<[row: number, column: number]> {
  let up = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++)
      for (const column of [right, right - 1]) yield [up ? size - 1 - step : step, column];
    up = !up;
  }
}

function isFunction(row: number, column: number, size: number, version: number): boolean {
  if (row === 6 || column === 6) return true;
  const inCorner = (i: number, j: number): boolean => i < 9 && j < 9;
  if (inCorner(row, column) || (row < 9 && column >= size - 8) || (row >= size - 8 && column < 9)) return true;
  if (version >= 7 && ((row < 6 && column >= size - 11) || (column < 6 && row >= size - 11))) return true;
  const centres = alignmentCentres(version, size);
  const last = centres.at(-1);
  return centres.some((i) =>
    centres.some((j) => {
      const finder = (i === 6 && j === 6) || (i === 6 && j === last) || (i === last && j === 6);
      return !finder && Math.abs(row - i) <= 2 && Math.abs(column - j) <= 2;
    }),
  );
}

function alignmentCentres(version: number, size: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((size - 13) / (count * 2 - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, k) => size - 7 - (count - 2 - k) * step)];
}

function dataOf(codewords: readonly number[], version: number): number[] {
  const [ec, blocks] = [ecPerBlock[version - 1]!, blockCounts[version - 1]!];
  const total = codewords.length;
  const short = Math.floor(total / blocks) - ec;
  const shortBlocks = blocks - (total % blocks);
  const lengths = Array.from({ length: blocks }, (_, k) => short + Number(k >= shortBlocks));
  const parts: number[][] = lengths.map(() => []);
  let next = 0;
  for (let i = 0; i <= short; i++)
    for (const [k, length] of lengths.entries()) if (i < length) parts[k]!.push(codewords[next++]!);
  const data = parts.flat();
  for (let i = 0; i < ec; i++) for (const part of parts) part.push(codewords[next++]!);
  if (!parts.every((part) => isCodeword(part, ec))) throw new Error('a block is damaged');
  return data;
}

/** A Reed-Solomon codeword has the roots of its generator: powers 0 to ec - 1 of 2 in GF(256) with 0x11d. */
function isCodeword(block: readonly number[], ec: number): boolean {
  let root = 1;
  for (let i = 0; i < ec; i++) {
    if (block.reduce((sum, byte) => times(sum, root) ^ byte, 0) !== 0) return false;
    root = times(root, 2);
  }
  return true;
}

function times(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> bit) & 1) * a;
  }
  return product;
}

function textOf(data: readonly number[], version: number): string {
  let position = 0;
  const take = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++, position++)
      value = value * 2 + ((data[position >> 3]! >> (7 - (position & 7))) & 1);
    return value;
  };
  const mode = take(4);
  if (mode !== 4) throw new Error(`mode ${mode}, not bytes`);
  const length = take(version < 10 ? 8 : 16);
  const text = Buffer.from(Array.from({ length }, () => take(8))).toString('utf8');
  if (data.length * 8 - position >= 4 && take(4) !== 0) throw new Error('something follows the text');
  return text;
}
