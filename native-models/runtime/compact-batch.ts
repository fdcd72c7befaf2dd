/**
 * A micro-batch as the compact graphs want it: the N tokens to be computed, without padding and with each prompt once, the M that
 * predict a completion's token, and where each stands in the other layouts. Only attention is computed on the padded rows, which
 * have copies of the prompt's keys and values. A prompt's last token stays in every row: each predicts its own completion.
 * Knows nothing of rewards or weights.
 */
import type { MicroBatch } from './batch.ts';
import type { TensorViews } from './ort-session.ts';

export function compactFeeds(batch: MicroBatch): TensorViews {
  const { rows, length, rowTokens, samePrompt, promptTokens } = batch;
  const unplaced: number[] = [];
  const predictingPlaces: number[] = [];
  const starts: number[] = [];
  const copies = new Map<number, number[]>();
  rowTokens.forEach((tokens, row) => {
    starts.push(unplaced.length);
    const original = samePrompt[row]!;
    const copied = original === row ? 0 : Math.min(tokens, promptTokens[row]! - 1);
    for (let t = 0; t < tokens; t++) {
      const at = row * length + t;
      if (t < copied) {
        const from = starts[original]! + t;
        copies.set(from, [...(copies.get(from) ?? []), at]);
        continue;
      }
      if (batch.completionMask[at] === 1) predictingPlaces.push(unplaced.length);
      unplaced.push(at);
    }
  });
  const count = unplaced.length;
  const unplace = Int32Array.from(unplaced);
  const place = new Int32Array(rows * length).fill(count);
  unplace.forEach((at, n) => (place[at] = n));
  const predicting = Int32Array.from(predictingPlaces);
  const predictor = new Int32Array(count).fill(predicting.length);
  const logprobPlace = new Int32Array(rows * length).fill(predicting.length);
  predicting.forEach((from, m) => {
    predictor[from] = m;
    logprobPlace[unplace[from]!] = m;
  });
  const logprobUnplace = predicting.map((from) => unplace[from]!);
  const flat = (data: Int32Array) => ({ data, dims: [data.length] });
  const padded = (data: Int32Array) => ({ data, dims: [rows, length] });
  return {
    tokens: flat(unplace.map((at) => batch.tokens[at]!)),
    place: padded(place),
    unplace: flat(unplace),
    predicting: flat(predicting),
    predictor: flat(predictor),
    targets: flat(logprobUnplace.map((at) => batch.targets[at]!)),
    logprobPlace: padded(logprobPlace),
    logprobUnplace: flat(logprobUnplace),
    ...copyFeeds(copies, count, rows, length),
  };
}

/** @param copies places in [B*T] by the token in [N] that they are copies of. No dimension may be 0, so without any there is an idle one. */
function copyFeeds(
  copies: ReadonlyMap<number, readonly number[]>,
  count: number,
  rows: number,
  length: number,
): TensorViews {
  const size = rows * length;
  const most = Math.max(1, ...[...copies.values()].map((places) => places.length));
  const copiedFrom = copies.size > 0 ? Int32Array.from(copies.keys()) : Int32Array.of(0);
  const copiedTo = new Int32Array(count).fill(copiedFrom.length);
  const copyPlace = new Int32Array(size).fill(copiedFrom.length * most);
  const copyUnplace = new Int32Array(copiedFrom.length * most).fill(size);
  [...copies].forEach(([from, places], s) => {
    copiedTo[from] = s;
    places.forEach((at, c) => {
      copyPlace[at] = s * most + c;
      copyUnplace[s * most + c] = at;
    });
  });
  return {
    copiedFrom: { data: copiedFrom, dims: [copiedFrom.length] },
    copiedTo: { data: copiedTo, dims: [count] },
    copies: { data: new Float32Array(most).fill(1), dims: [most, 1] },
    copyPlace: { data: copyPlace, dims: [rows, length] },
    copyUnplace: { data: copyUnplace, dims: [copiedFrom.length, most] },
  };
}
