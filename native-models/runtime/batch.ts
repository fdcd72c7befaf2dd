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

/**
 * Indices of rows by micro-batch; every row is in exactly one. Rows with the same prompt stay together where they fit, for it is
 * computed once in a micro-batch; the prompt with the longest row comes first, and of its rows the longest.
 */
export function bucketRows(rows: readonly Pick<TrainRow, 'tokens' | 'promptLength'>[], maxTokens: number): number[][] {
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
  const buckets: number[][] = [];
  let bucket: number[] = [];
  let padded = 0;
  for (const index of order) {
    const needed = Math.max(padded, paddedLength(lengths[index]!));
    if (bucket.length > 0 && (bucket.length + 1) * needed > maxTokens) {
      buckets.push(bucket);
      bucket = [];
      padded = paddedLength(lengths[index]!);
    } else padded = needed;
    bucket.push(index);
  }
  if (bucket.length > 0) buckets.push(bucket);
  return buckets;
}

/** Most tokens of a pass so that the largest passes are halved; null where each row already has a pass of its own. */
export function smallerPasses(
  rows: readonly Pick<TrainRow, 'tokens' | 'promptLength'>[],
  maxTokens: number,
): number | null {
  const largest = bucketRows(rows, maxTokens)
    .filter((bucket) => bucket.length > 1)
    .map((bucket) => bucket.length * paddedLength(Math.max(...bucket.map((row) => rows[row]!.tokens.length))));
  return largest.length > 0 ? Math.floor(Math.max(...largest) / 2) : null;
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
