/**
 * The rules of one-dimensional ARC puzzles: each draws a row of colours and the row that it becomes, call for call as
 * reasoning-gym's `arc_1d` draws them (Apache-2.0; after Ilya Sheprut's arc_1d and the 1D-ARC paper, arXiv 2305.18354).
 * Knows nothing of questions. Colour 0 is the ground, 1 to 9 are colours. A rule gives null where its draw came out unusable;
 * the caller then draws again.
 */
import { UndefinedInstanceError } from '../undefined-instance.ts';
import type { PythonRandom } from '../python-random.ts';

export type Row = number[];

export interface RowPair {
  input: Row;
  output: Row;
}

type Rule = (random: PythonRandom, size: number) => RowPair | null;

/** Position and length of a run of one colour. */
type Block = readonly [at: number, length: number];

function ground(size: number): Row {
  return Array<number>(size).fill(0);
}

/** A copy of the row with `colours` written from `at` on. */
function withBlock(row: Row, at: number, colours: readonly number[]): Row {
  const copy = [...row];
  colours.forEach((colour, i) => (copy[at + i] = colour));
  return copy;
}

function solid(length: number, colour: number): Row {
  return Array<number>(length).fill(colour);
}

function drawColour(random: PythonRandom): number {
  return random.randint(1, 9);
}

/** A colour from 1 to 9 other than `taken`, by one draw of eight. */
function drawColourBut(random: PythonRandom, taken: number): number {
  const drawn = random.randint(1, 8);
  return drawn >= taken ? drawn + 1 : drawn;
}

function drawBlock(random: PythonRandom, length: number, isSolid: boolean): Row {
  return isSolid ? solid(length, drawColour(random)) : Array.from({ length }, () => drawColour(random));
}

/** Each cell ground or, with probability one half, one of the colours 1 to `highest`. */
function drawScattered(random: PythonRandom, size: number, highest: number): Row {
  return Array.from({ length: size }, () => (random.random() < 0.5 ? random.randint(1, highest) : 0));
}

function countOf(row: Row, colour: number): number {
  return row.filter((cell) => cell === colour).length;
}

// Moving

const move =
  (by: number, isSolid: boolean): Rule =>
  (random, size) => {
    if (size <= by + 1) return null;
    const length = random.randint(1, size - by - 1);
    const at = random.randint(0, size - length - by);
    const block = drawBlock(random, length, isSolid);
    return { input: withBlock(ground(size), at, block), output: withBlock(ground(size), at + by, block) };
  };

const moveWrapped =
  (by: number, isSolid: boolean): Rule =>
  (random, size) => {
    const length = random.randint(1, size);
    const at = random.randint(0, size - 1);
    const pair = { input: ground(size), output: ground(size) };
    drawBlock(random, length, isSolid).forEach((colour, i) => {
      pair.input[(at + i) % size] = colour;
      pair.output[(at + by + i) % size] = colour;
    });
    return pair;
  };

const moveByOwnSize: Rule = (random, size) => {
  const length = random.randint(1, Math.floor(size / 2));
  const at = random.randint(0, size - length * 2);
  const block = solid(length, drawColour(random));
  return { input: withBlock(ground(size), at, block), output: withBlock(ground(size), at + length, block) };
};

// Gravity

const gravity: Rule = (random, size) => {
  const input = drawScattered(random, size, 9);
  return { input, output: withBlock(ground(size), 0, input.filter(Boolean)) };
};

const gravityCounting: Rule = (random, size) => {
  const input = drawScattered(random, size, 9);
  return { input, output: withBlock(ground(size), 0, solid(size - countOf(input, 0), 1)) };
};

const gravityAntigravity: Rule = (random, size) => {
  const input = drawScattered(random, size, 2);
  const ones = countOf(input, 1);
  const left = withBlock(ground(size), 0, solid(countOf(input, 2), 2));
  return { input, output: withBlock(left, size - ones, solid(ones, 1)) };
};

const gravityWeighted: Rule = (random, size) => {
  const input = drawScattered(random, size, 2);
  const heavy = solid(countOf(input, 2), 2);
  return { input, output: withBlock(ground(size), 0, [...heavy, ...solid(countOf(input, 1), 1)]) };
};

const gravityOneStep: Rule = (random, size) => {
  const input = drawScattered(random, size, 9);
  const output = [...input];
  for (let i = 1; i < size; i++) {
    if (output[i] === 0 || output[i - 1] !== 0) continue;
    output[i - 1] = output[i]!;
    output[i] = 0;
  }
  return { input, output };
};

// A block and a dot

interface DotScene {
  dotAt: number;
  blockAt: number;
  length: number;
  isLeft: boolean;
  dot: number;
  colour: number;
}

/** A block on one side of a dot; null where neither side has room. */
function drawDotScene(random: PythonRandom, size: number, dot: number): DotScene | null {
  const colour = random.randint(dot + 1, 9);
  const length = random.randint(1, size - 1);
  const dotAt = random.randint(0, size - 1);
  const fitsLeft = dotAt >= length;
  const fitsRight = dotAt + length < size;
  if (!fitsLeft && !fitsRight) return null;
  const isLeft = fitsLeft && fitsRight ? random.choice([true, false]) : fitsLeft;
  const blockAt = isLeft ? random.randint(0, dotAt - length) : random.randint(dotAt + 1, size - length);
  return { dotAt, blockAt, length, isLeft, dot, colour };
}

function paintDotScene(size: number, scene: DotScene, blockAt: number, length: number): Row {
  const row = withBlock(ground(size), scene.dotAt, [scene.dot]);
  return withBlock(row, blockAt, solid(length, scene.colour));
}

/** The block moves towards the dot, by at most `steps`. */
const touchDot =
  (dot: number, steps: number): Rule =>
  (random, size) => {
    const scene = drawDotScene(random, size, dot);
    if (scene === null) return null;
    const { dotAt, blockAt, length, isLeft } = scene;
    const distance = isLeft ? dotAt - length - blockAt : blockAt - dotAt - 1;
    const step = Math.min(distance, steps);
    const output = paintDotScene(size, scene, isLeft ? blockAt + step : blockAt - step, length);
    return { input: paintDotScene(size, scene, blockAt, length), output };
  };

/** The block grows until it covers the dot. */
const scaleToDot: Rule = (random, size) => {
  const scene = drawDotScene(random, size, 2);
  if (scene === null) return null;
  const { dotAt, blockAt, length, isLeft } = scene;
  const output = isLeft
    ? paintDotScene(size, scene, blockAt, dotAt - blockAt + 1)
    : paintDotScene(size, scene, dotAt, blockAt + length - dotAt);
  return { input: paintDotScene(size, scene, blockAt, length), output };
};

const reflectAroundDot: Rule = (random, size) => {
  const dotAt = random.randint(0, size - 1);
  const length = random.randint(1, size - 1);
  const at = random.randint(0, size - length);
  const end = at + length - 1;
  if (at <= dotAt && dotAt <= end) return null;
  const colour = random.randint(3, 9);
  const mirroredAt = 2 * dotAt - end;
  if (mirroredAt < 0 || 2 * dotAt - at >= size) return null;
  const dotted = withBlock(ground(size), dotAt, [2]);
  const block = solid(length, colour);
  return { input: withBlock(dotted, at, block), output: withBlock(dotted, mirroredAt, block) };
};

// Reflection of a block with a border pixel. The second colour is never 9, as in the reference.

function coloursBut(taken: number): number[] {
  return [1, 2, 3, 4, 5, 6, 7, 8].filter((colour) => colour !== taken);
}

function reflected(size: number, at: number, block: Row): RowPair {
  return { input: withBlock(ground(size), at, block), output: withBlock(ground(size), at, block.toReversed()) };
}

const reflectWithBorder: Rule = (random, size) => {
  const length = random.randint(2, size);
  const body = drawColour(random);
  const border = random.choice(coloursBut(body));
  const isLeft = random.random() < 0.5;
  const at = random.randint(0, size - length);
  return reflected(size, at, withBlock(solid(length, body), isLeft ? 0 : length - 1, [border]));
};

const reflectRandom: Rule = (random, size) => {
  const length = random.randint(2, size);
  const isLeft = random.random() < 0.5;
  const at = random.randint(0, size - length);
  const border = drawColour(random);
  const others = coloursBut(border);
  const body = Array.from({ length }, () => random.choice(others));
  return reflected(size, at, withBlock(body, isLeft ? 0 : length - 1, [border]));
};

// Noise

const removeNoise: Rule = (random, size) => {
  const length = random.randint(2, size);
  const at = random.randint(0, size - length);
  const colour = drawColour(random);
  const output = withBlock(ground(size), at, solid(length, colour));
  const input = [...output];
  const isFree = (i: number): boolean => i >= 0 && i < size && !input[i - 1] && !input[i] && !input[i + 1];
  const wanted = random.randint(1, 3);
  for (let placed = 0; placed < wanted; placed++) {
    const free = input.map((_, i) => i).filter(isFree);
    if (free.length === 0) return null;
    input[random.choice(free)] = colour;
  }
  return { input, output };
};

const removeNoiseInside: Rule = (random, size) => {
  if (size <= 6) return null;
  const length = random.randint(6, size);
  const at = random.randint(0, size - length);
  const colour = drawColour(random);
  const output = withBlock(ground(size), at, solid(length, colour));
  const input = [...output];
  const count = random.randint(1, Math.max(1, Math.floor(length / 2) - 1));
  const offsets = Array.from({ length }, (_, i) => i);
  random.shuffle(offsets);
  for (const offset of offsets.slice(0, count)) {
    let noise = drawColour(random);
    while (noise === colour) noise = drawColour(random);
    input[at + offset] = noise;
  }
  return { input, output };
};

// Copying and filling

const twoPointsAndFill: Rule = (random, size) => {
  const colour = drawColour(random);
  const a = random.randint(0, size - 1);
  const b = random.randint(0, size - 1);
  if (a === b) return null;
  const [from, to] = [Math.min(a, b), Math.max(a, b)];
  const ends = withBlock(withBlock(ground(size), from, [colour]), to, [colour]);
  return { input: ends, output: withBlock(ends, from, solid(to - from + 1, colour)) };
};

/** The block at the left is copied around each dot, in the dot's colour. */
const copyToDots =
  (hasOwnColours: boolean): Rule =>
  (random, size) => {
    const length = random.random() < 0.5 ? 3 : 5;
    if (length >= size) return null;
    const colour = drawColour(random);
    const half = Math.floor(length / 2);
    const dots: [at: number, colour: number][] = [];
    for (let at = length + half + 1; at <= size - length; at++) {
      if (random.random() >= 0.5) continue;
      dots.push([at, hasOwnColours ? drawColour(random) : colour]);
      at += length;
    }
    if (dots.length === 0) return null;
    const start = withBlock(ground(size), 0, solid(length, colour));
    return {
      input: dots.reduce((row, [at, own]) => withBlock(row, at, [own]), start),
      output: dots.reduce((row, [at, own]) => withBlock(row, at - half, solid(length, own)), start),
    };
  };

const repeatPattern: Rule = (random, size) => {
  const length = random.randint(2, 5);
  const pattern = Array.from({ length }, () => drawColour(random));
  if (length * 2 >= size) return null;
  return {
    input: withBlock(ground(size), 0, [...pattern, ...pattern]),
    output: Array.from({ length: size }, (_, i) => pattern[i % length]!),
  };
};

const duplicateFromSeeds: Rule = (random, size) => {
  const length = random.randint(2, 4);
  if (size <= 3 + length) return null;
  const at = random.randint(2, size - length - 2);
  let hasLeft = false;
  let hasRight = false;
  while (!hasLeft && !hasRight) {
    hasLeft = random.random() < 0.5;
    hasRight = random.random() < 0.5;
  }
  let input = withBlock(ground(size), at, solid(length, 1));
  const leftColour = hasLeft ? drawColour(random) : 0;
  const rightColour = hasRight ? drawColour(random) : 0;
  if (hasLeft) input = withBlock(input, at - 2, [leftColour]);
  if (hasRight) input = withBlock(input, at + length + 1, [rightColour]);
  const output = [...input];
  const period = length + 1;
  if (hasLeft) for (let i = at - 2; i >= 0; i--) if ((at - 2 - i) % period < length) output[i] = leftColour;
  if (hasRight) {
    const from = at + length + 1;
    for (let i = from; i < size; i++) if ((i - from) % period < length) output[i] = rightColour;
  }
  return { input, output };
};

const fillFromPixel: Rule = (random, size) => {
  if (size < 8) return null;
  const length = random.randint(3, size - 5);
  const at = random.randint(2, size - length - 2);
  const colour = drawColour(random);
  const seed = drawColourBut(random, colour);
  const isLeft = random.random() < 0.5;
  const blocked = withBlock(ground(size), at, solid(length, colour));
  const end = at + length;
  return isLeft
    ? { input: withBlock(blocked, at - 1, [seed]), output: withBlock(blocked, 0, solid(at, seed)) }
    : { input: withBlock(blocked, end, [seed]), output: withBlock(blocked, end, solid(size - end, seed)) };
};

const fillUntilCollision: Rule = (random, size) => {
  if (size < 4) return null;
  const isLeft = random.random() < 0.5;
  const count = random.randint(2, 4);
  const lowest = isLeft ? 1 : 0;
  const places: number[] = [];
  while (places.length < count) {
    const at = random.randint(lowest, size - 2 + lowest);
    if (!places.includes(at)) places.push(at);
  }
  const input = withBlock(ground(size), isLeft ? 0 : size - 1, [5]);
  for (const at of places) input[at] = drawColourBut(random, 5);
  // Each pixel fills the gap between itself and what lies next on the marker's side.
  const output = [...input];
  const step = isLeft ? -1 : 1;
  for (const at of places) for (let i = at + step; input[i] === 0; i += step) output[i] = input[at]!;
  return { input, output };
};

// Colours

const paintBiggest: Rule = (random, size) => {
  const colour = random.randint(2, 9);
  const blocks: Block[] = [];
  for (let at = 0; at < size; at++) {
    if (!(random.random() < 0.4 && size - at >= 2)) continue;
    const length = random.randint(2, Math.min(size - at, 6));
    blocks.push([at, length]);
    at += length;
  }
  if (blocks.length < 2) return null;
  const longest = Math.max(...blocks.map(([, length]) => length));
  const biggest = blocks.filter(([, length]) => length === longest);
  if (biggest.length > 1) return null;
  const input = blocks.reduce((row, [at, length]) => withBlock(row, at, solid(length, colour)), ground(size));
  return { input, output: withBlock(input, biggest[0]![0], solid(longest, 1)) };
};

const recolourBySize: Rule = (random, size) => {
  const first = random.randint(2, 8);
  let second = random.randint(2, 8);
  while (second === first) second = random.randint(2, 8);
  if (first + second + 1 > size) return null;
  const firstAt = random.randint(0, size - (first + second + 1));
  const secondAt = random.randint(firstAt + first + 1, size - second);
  const paint = (a: number, b: number): Row =>
    withBlock(withBlock(ground(size), firstAt, solid(first, a)), secondAt, solid(second, b));
  return { input: paint(3, 3), output: first > second ? paint(1, 2) : paint(2, 1) };
};

const changeToFive: Rule = (random, size) => {
  const input = drawScattered(random, size, 9);
  return { input, output: input.map((cell) => (cell === 0 ? 0 : 5)) };
};

const recolourFromPalette: Rule = (random, size) => {
  const length = random.randint(2, 4);
  const places: number[] = [];
  for (let at = 0; at + length <= size; at++) {
    if (random.random() >= 0.4) continue;
    places.push(at);
    at += length;
  }
  while (places.length > 0 && places.at(-1)! + length + places.length + 1 >= size) places.pop();
  if (places.length === 0) return null;
  // The reference looks for a tenth colour for ever.
  if (places.length > 9) throw new UndefinedInstanceError('this instance needs more than nine colours');
  const colours: number[] = [];
  while (colours.length < places.length) {
    const colour = drawColour(random);
    if (!colours.includes(colour)) colours.push(colour);
  }
  const paint = (colourOf: (i: number) => number): Row =>
    places.reduce(
      (row, at, i) => withBlock(row, at + places.length + 1, solid(length, colourOf(i))),
      withBlock(ground(size), 0, colours),
    );
  return { input: paint(() => 5), output: paint((i) => colours[i]!) };
};

const colourLeftHalves: Rule = (random, size) => {
  const blocks: Block[] = [];
  for (let at = 0; at < size; at++) {
    if (random.random() >= 0.4) continue;
    const length = random.randint(2, Math.floor(size / 2));
    if (at + length > size) break;
    blocks.push([at, length]);
    at += length;
  }
  if (blocks.length < 2) return null;
  const input = blocks.reduce((row, [at, length]) => withBlock(row, at, solid(length, 2)), ground(size));
  const output = blocks.reduce((row, [at, length]) => withBlock(row, at, solid(Math.floor(length / 2), 8)), input);
  return { input, output };
};

const markSizeTwo: Rule = (random, size) => {
  if (size < 8) return null;
  // Lengths of blocks, 0 for a cell of ground; one block of two is there for sure.
  const lengths = [2];
  for (let used = 4; used < size;) {
    if (random.random() < 0.4) {
      const length = random.randint(1, 3);
      if (used + length <= size) lengths.push(length);
      used += length + 2;
    } else {
      lengths.push(0);
      used++;
    }
  }
  random.shuffle(lengths);
  const input = ground(size);
  const twos: number[] = [];
  let at = 0;
  for (const length of lengths) {
    if (length > 0) {
      const colour = drawColourBut(random, 3);
      for (let i = 0; i < length; i++) input[at + i] = colour;
      if (length === 2) twos.push(at);
    }
    at += length === 0 ? 1 : length + 2;
  }
  const output = [...input];
  for (const two of twos) {
    if (two > 0) output[two - 1] = 3;
    if (two + 2 < size) output[two + 2] = 3;
  }
  return { input, output };
};

// Sorting

/** Blocks of one colour side by side from the left, one cell of ground between. */
function packed(size: number, lengths: readonly number[], colour: number): Row {
  const row = ground(size);
  let at = 0;
  for (const length of lengths) {
    for (let i = 0; i < length; i++) row[at + i] = colour;
    at += length + 1;
  }
  return row;
}

const sortBySize: Rule = (random, size) => {
  const colour = drawColour(random);
  const blocks: Block[] = [];
  for (let at = 0; at < size;) {
    if (random.random() < 0.4 && size - at >= 2) {
      const length = random.randint(1, Math.min(size - at, 6));
      blocks.push([at, length]);
      at += length + random.randint(1, 4);
    } else {
      at++;
    }
  }
  if (blocks.length < 2) return null;
  const lengths = blocks.map(([, length]) => length).sort((a, b) => a - b);
  if (lengths.reduce((sum, length) => sum + length, lengths.length - 1) > size) return null;
  const input = blocks.reduce((row, [at, length]) => withBlock(row, at, solid(length, colour)), ground(size));
  return { input, output: packed(size, lengths, colour) };
};

const sortSequence: Rule = (random, size) => {
  let longest = 0;
  for (let room = size - 2; room >= 0; room -= longest + 2) longest++;
  if (longest < 2) return null;
  const colour = drawColour(random);
  const sorted = Array.from({ length: longest }, (_, i) => i + 1);
  const shuffled = [...sorted];
  random.shuffle(shuffled);
  return { input: packed(size, shuffled, colour), output: packed(size, sorted, colour) };
};

const mirrored =
  (rule: Rule): Rule =>
  (random, size) => {
    const pair = rule(random, size);
    return pair && { input: pair.input.toReversed(), output: pair.output.toReversed() };
  };

const inverse =
  (rule: Rule): Rule =>
  (random, size) => {
    const pair = rule(random, size);
    return pair && { input: pair.output, output: pair.input };
  };

/** `name_1pix_solid_right` and so on: one to four pixels, solid then colourful. */
function moves(make: (by: number, isSolid: boolean) => Rule, ending: string): [string, Rule][] {
  return [true, false].flatMap((isSolid) =>
    [1, 2, 3, 4].map((by): [string, Rule] => [
      `move_${by}pix_${isSolid ? 'solid' : 'colorful'}_${ending}`,
      make(by, isSolid),
    ]),
  );
}

const GRAVITY: [string, Rule][] = [
  ['gravity', gravity],
  ['gravity_counting', gravityCounting],
  ['gravity_antigravity', gravityAntigravity],
  ['gravity_one_step', gravityOneStep],
  ['gravity_weighted_colors', gravityWeighted],
];

/** Name and rule, in the reference's order: a task draws its rule by position. */
export const ARC_1D_RULES: readonly (readonly [name: string, rule: Rule])[] = [
  ...moves(move, 'right'),
  ...moves((by, isSolid) => mirrored(move(by, isSolid)), 'left'),
  ...moves(moveWrapped, 'wrapped_right'),
  ...moves((by, isSolid) => mirrored(moveWrapped(by, isSolid)), 'wrapped_left'),
  ...GRAVITY.map(([name, rule]): [string, Rule] => [`${name}_right`, rule]),
  ...GRAVITY.map(([name, rule]): [string, Rule] => [`${name}_left`, mirrored(rule)]),
  ['block_touch_dot', touchDot(1, Infinity)],
  ['block_touch_dot_1pix', touchDot(2, 1)],
  ['block_touch_dot_2pix', touchDot(2, 2)],
  ['block_touch_dot_3pix', touchDot(2, 3)],
  ['block_touch_dot_4pix', touchDot(2, 4)],
  ['block_scale_to_dot', scaleToDot],
  ['block_and_noise_remove', removeNoise],
  ['block_and_noise_remove_inside', removeNoiseInside],
  ['move_block_by_own_size', moveByOwnSize],
  ['two_points_and_fill', twoPointsAndFill],
  ['two_points_and_fill_inv', inverse(twoPointsAndFill)],
  ['copy_block_to_dots', copyToDots(false)],
  ['copy_block_to_dots_colors', copyToDots(true)],
  ['repeat_pattern_full', repeatPattern],
  ['reflect_block_with_border_pixel', reflectWithBorder],
  ['reflect_block_random', reflectRandom],
  ['reflect_block_around_dot', reflectAroundDot],
  ['paint_biggest_block', paintBiggest],
  ['recolor_blocks_by_size', recolourBySize],
  ['change_to_five', changeToFive],
  ['recolor_blocks_from_palette', recolourFromPalette],
  ['color_left_half_blocks', colourLeftHalves],
  ['sort_blocks_by_size', sortBySize],
  ['sort_complete_sequence', sortSequence],
  ['duplicate_block_from_seeds', duplicateFromSeeds],
  ['fill_from_pixel', fillFromPixel],
  ['fill_until_collision', fillUntilCollision],
  ['mark_size_two_blocks', markSizeTwo],
];
