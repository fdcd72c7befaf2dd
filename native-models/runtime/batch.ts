/**
 * Token sequences -> micro-batches, padded; compact-batch.ts leaves the padding out again where it would be computed with. No
 * micro-batch exceeds the token budget. Knows nothing of rewards.
 */

export interface TrainRow {
  /** Prompt followed by completion, EOS included where the policy ended by itself. */
  tokens: readonly number[];
  promptLength: number;
  advantage: number;
  /** Multiplies the row's loss. */
  rowWeight: number;
  /** log-probs of the completion's tokens under the policy that wrote them; null where unknown. */
  behaviorLogprobs: readonly number[] | null;
  /** The same under the policy that training started from; left out where the objective needs none. */
  referenceLogprobs?: readonly number[] | null;
}

export interface MicroBatch {
  rows: number;
  /** Padded length of the inputs (targets are shifted by one). */
  length: number;
  tokens: Int32Array; // [rows,length]
  targets: Int32Array; // [rows,length]
  completionMask: Float32Array; // [rows,length]
  behaviorLogprobs: Float32Array; // [rows,length]
  referenceLogprobs: Float32Array; // [rows,length]
  advantages: Float32Array; // [rows]
  rowWeights: Float32Array; // [rows]
  /** Tokens of each row that are not padding. */
  rowTokens: readonly number[];
  /** Of each row the first one with the same prompt; itself, where it is that. */
  samePrompt: readonly number[];
  /** Tokens of each row's prompt. */
  promptTokens: readonly number[];
  /** Their sum. */
  realTokens: number;
}

const LENGTH_STEP = 8;

/** Of each row the first one with the same prompt. */
export function samePrompts(rows: readonly Pick<TrainRow, 'tokens' | 'promptLength'>[]): number[] {
  const known = new Map<string, number>();
  return rows.map(({ tokens, promptLength }, row) => {
    const prompt = tokens.slice(0, promptLength).join(' ');
    if (!known.has(prompt)) known.set(prompt, row);
    return known.get(prompt)!;
  });
}

type Row = Pick<TrainRow, 'tokens' | 'promptLength'>;

/** A padded token costs attention only, which is this part of what one costs that is computed in every layer's matrices. */
const PADDED_COST = 0.5;

/**
 * What a pass of rows costs, in tokens: those that are computed, where a prompt that rows share counts once (compact-batch.ts), or half of
 * the padded ones where these are more. Rows are added with those of the same prompt side by side.
 */
export class PassCost {
  private rows = 0;
  private computed = 0;
  private length = 0;

  /** In tokens. */
  get tokens(): number {
    return Math.max(this.computed, Math.ceil(PADDED_COST * this.rows * this.length));
  }

  /** `isShared`: its prompt is that of the row before. */
  add({ tokens, promptLength }: { tokens: { length: number }; promptLength: number }, isShared: boolean): this {
    const inputs = Math.max(1, tokens.length - 1);
    this.rows++;
    this.computed += isShared ? inputs - Math.min(inputs - 1, promptLength - 1) : inputs;
    this.length = Math.max(this.length, paddedLength(tokens.length));
    return this;
  }

  copy(): PassCost {
    return Object.assign(new PassCost(), this);
  }
}

/**
 * Indices of rows by micro-batch, each of which costs at most `maxTokens` unless it is one row; every row is in exactly one. Rows with
 * the same prompt stay together where they fit; the prompt with the longest row comes first, and of its rows the longest.
 */
export function bucketRows(rows: readonly Row[], maxTokens: number): number[][] {
  return passesOf(rows, maxTokens).map(({ bucket }) => bucket);
}

function passesOf(rows: readonly Row[], maxTokens: number): { bucket: number[]; cost: PassCost }[] {
  const lengths = rows.map((row) => row.tokens.length);
  const prompts = samePrompts(rows);
  const longest = new Map<number, number>();
  prompts.forEach((prompt, row) => longest.set(prompt, Math.max(lengths[row]!, longest.get(prompt) ?? 0)));
  const order = lengths
    .map((_, row) => row)
    .sort(
      (a, b) =>
        longest.get(prompts[b]!)! - longest.get(prompts[a]!)! ||
        prompts[a]! - prompts[b]! ||
        lengths[b]! - lengths[a]! ||
        a - b,
    );
  const passes: { bucket: number[]; cost: PassCost }[] = [];
  for (const index of order) {
    const pass = passes.at(-1);
    const isShared = pass !== undefined && prompts[pass.bucket.at(-1)!] === prompts[index];
    const cost = pass?.cost.copy().add(rows[index]!, isShared);
    if (pass && cost && cost.tokens <= maxTokens) {
      pass.bucket.push(index);
      pass.cost = cost;
    } else passes.push({ bucket: [index], cost: new PassCost().add(rows[index]!, false) });
  }
  return passes;
}

/** Most tokens of a pass so that the largest passes are halved; null where each row already has a pass of its own. */
export function smallerPasses(rows: readonly Row[], maxTokens: number): number | null {
  const costs = passesOf(rows, maxTokens)
    .filter(({ bucket }) => bucket.length > 1)
    .map(({ cost }) => cost.tokens);
  return costs.length > 0 ? Math.floor(Math.max(...costs) / 2) : null;
}

export function paddedLength(tokens: number): number {
  return Math.ceil(Math.max(1, tokens - 1) / LENGTH_STEP) * LENGTH_STEP;
}

export function microBatch(rows: readonly TrainRow[], padId: number): MicroBatch {
  const length = paddedLength(Math.max(...rows.map((row) => row.tokens.length)));
  const size = rows.length * length;
  const batch: MicroBatch = {
    rows: rows.length,
    length,
    tokens: new Int32Array(size).fill(padId),
    targets: new Int32Array(size).fill(padId),
    completionMask: new Float32Array(size),
    behaviorLogprobs: new Float32Array(size),
    referenceLogprobs: new Float32Array(size),
    advantages: Float32Array.from(rows, (row) => row.advantage),
    rowWeights: Float32Array.from(rows, (row) => row.rowWeight),
    rowTokens: rows.map((row) => row.tokens.length - 1),
    samePrompt: samePrompts(rows),
    promptTokens: rows.map((row) => row.promptLength),
    realTokens: rows.reduce((sum, row) => sum + row.tokens.length - 1, 0),
  };
  rows.forEach((row, r) => {
    for (let t = 0; t + 1 < row.tokens.length; t++) {
      const at = r * length + t;
      batch.tokens[at] = row.tokens[t]!;
      batch.targets[at] = row.tokens[t + 1]!;
      if (t + 1 >= row.promptLength) {
        batch.completionMask[at] = 1;
        batch.behaviorLogprobs[at] = row.behaviorLogprobs?.[t + 1 - row.promptLength] ?? 0;
        batch.referenceLogprobs[at] = row.referenceLogprobs?.[t + 1 - row.promptLength] ?? 0;
      }
    }
  });
  return batch;
}
