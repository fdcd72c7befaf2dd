/**
 * A micro-batch as the compact graphs want it: the N real tokens without padding, the M that predict a completion's token, and
 * where each stands in the other layouts. Only attention is computed on the padded rows. Knows nothing of rewards or weights.
 */
import type { MicroBatch } from './batch.ts';
import type { TensorViews } from './ort-session.ts';

export function compactFeeds(batch: MicroBatch): TensorViews {
  const { rows, length, rowTokens, realTokens: count } = batch;
  const place = new Int32Array(rows * length).fill(count);
  const unplace = new Int32Array(count);
  const predictingPlaces: number[] = [];
  let next = 0;
  rowTokens.forEach((tokens, row) => {
    for (let t = 0; t < tokens; t++) {
      const at = row * length + t;
      place[at] = next;
      unplace[next] = at;
      if (batch.completionMask[at] === 1) predictingPlaces.push(next);
      next++;
    }
  });
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
  };
}
