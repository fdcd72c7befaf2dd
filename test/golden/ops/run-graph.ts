/** Runs a small graph once on the real ONNX Runtime CPU provider under either lowering, and measures how far two tensors are apart. */
import type { GraphBuilder } from '../../../native-models/graph/builder.ts';
import { lowerGraph, type Lowering } from '../../../native-models/graph/lower.ts';
import { GraphSession, type TensorView, type TensorViews } from '../../../native-models/runtime/ort-session.ts';

export const lowerings: readonly Lowering[] = ['cpu', 'webgpu'];

export async function openGraph(graph: GraphBuilder, lowering: Lowering): Promise<GraphSession> {
  return GraphSession.open(lowerGraph(graph, lowering), { provider: 'cpu', threads: 1, shapesRepeat: false });
}

export async function runGraph(
  graph: GraphBuilder,
  lowering: Lowering,
  feeds: TensorViews,
): Promise<Record<string, TensorView>> {
  const session = await openGraph(graph, lowering);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Largest difference, relative to the largest magnitude of the reference (at least `floor`). NaN anywhere gives infinity. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-6): number {
  if (actual.length !== expected.length) return Infinity;
  let [difference, magnitude] = [0, floor];
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!);
    if (Number.isNaN(distance)) return Infinity;
    difference = Math.max(difference, distance);
    magnitude = Math.max(magnitude, Math.abs(expected[i]!));
  }
  return difference / magnitude;
}
