/** Reads vectors.json (made by make.py) and turns a row into graph inputs and feeds. */
import { readFileSync } from 'node:fs';
import { GraphBuilder } from '../../../native-models/graph/builder.ts';
import type { NodeOf, OpAttrs, OpName, Value } from '../../../native-models/graph/ops.ts';
import type { DType, Shape } from '../../../native-models/graph/shape.ts';
import type { TensorView, TensorViews } from '../../../native-models/runtime/ort-session.ts';

export interface VectorTensor {
  dtype: Exclude<DType, 'bool'>;
  shape: number[];
  values: number[];
}
export interface OpCase {
  op: OpName;
  name: string;
  attrs: OpAttrs[OpName];
  inputs: VectorTensor[];
  outputs: VectorTensor[];
  /** Shapes with names, where the graph is to be built with sizes known only at run time. */
  dims?: Shape[];
  /** The gradients are those of sum(outputs[0] * seed). */
  seed?: VectorTensor;
  grads?: (VectorTensor | null)[];
}

export const opCases = (
  JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8')) as { cases: OpCase[] }
).cases;

export function toView({ dtype, shape, values }: VectorTensor): TensorView {
  if (dtype === 'float32') return { data: Float32Array.from(values), dims: shape };
  if (dtype === 'int32') return { data: Int32Array.from(values), dims: shape };
  return { data: BigInt64Array.from(values.map(BigInt)), dims: shape };
}

export interface BuiltCase {
  graph: GraphBuilder;
  inputs: Value[];
  node: NodeOf<OpName>;
  feeds: TensorViews;
}

/** A graph with the one node; nothing is an output yet. */
export function buildCase(row: OpCase): BuiltCase {
  const graph = new GraphBuilder();
  const inputs = row.inputs.map((tensor, i) => graph.input(`x${i}`, tensor.dtype, row.dims?.[i] ?? tensor.shape));
  const node = graph.apply(row.op, row.attrs, inputs);
  return { graph, inputs, node, feeds: feedsOf(inputs, row.inputs.map(toView)) };
}

export function feedsOf(inputs: readonly Value[], views: readonly TensorView[]): TensorViews {
  return Object.fromEntries(inputs.map((value, i) => [value.name, views[i]!]));
}
