/**
 * How much memory one run of a graph takes on the CPU provider beyond its inputs: walks the operators in the order ONNX Runtime
 * runs them, holding each value from its making to its last use. Computes nothing and knows nothing of policies, so that it
 * follows the graphs when they change.
 *
 * What it follows of ONNX Runtime 1.30 (sequential execution): nodes in post-order of a depth-first search from the last leaf;
 * a buffer is freed after its last reader; views share their source's; outputs live in memory of the caller.
 */
import type { GraphBuilder } from '../graph/builder.ts';
import { liveNodes } from '../graph/lower.ts';
import type { Node, NodeOf, OpName, Value } from '../graph/ops.ts';
import type { Dim, Shape } from '../graph/shape.ts';

/** Sizes of the graph's named dimensions. */
export type Dimensions = Readonly<Record<string, number>>;

/** Operators whose result is the same memory as their first input. */
const views = new Set<OpName>(['reshape', 'stopGradient']);

/** Largest sum of live values and scratch at any time, bytes. @throws Error for a dimension without a size. */
export function graphPeakBytes(b: GraphBuilder, dimensions: Dimensions): number {
  const nodes = runOrder(liveNodes(b));
  const lifetimes = new Lifetimes(nodes, new Set(b.outputs.map(({ value }) => value)), dimensions);
  let live = 0;
  let peak = 0;
  for (const node of nodes) {
    for (const output of node.outputs) live += lifetimes.bytesOf(output);
    peak = Math.max(peak, live + scratchBytes(node, dimensions));
    for (const value of lifetimes.endingAfter(node)) live -= lifetimes.bytesOf(value);
  }
  return peak;
}

class Lifetimes {
  private readonly source = new Map<Value, Value>();
  private readonly readers = new Map<Value, number>();
  private readonly given: ReadonlySet<Value>;
  private readonly dimensions: Dimensions;

  constructor(nodes: readonly Node[], given: ReadonlySet<Value>, dimensions: Dimensions) {
    this.given = given;
    this.dimensions = dimensions;
    for (const { op, inputs, outputs } of nodes)
      if (views.has(op)) this.source.set(outputs[0]!, this.sourceOf(inputs[0]!));
    for (const node of nodes)
      for (const value of this.read(node)) this.readers.set(value, (this.readers.get(value) ?? 0) + 1);
  }

  /** Of memory of its own; inputs, constants, views and outputs have none. */
  bytesOf(value: Value): number {
    if (value.node === null || this.given.has(value) || this.source.has(value)) return 0;
    return sizeBytes(value.shape, this.dimensions);
  }

  /** Values that nobody reads once this node has run. */
  endingAfter(node: Node): Value[] {
    const unread = node.outputs.filter((value) => !this.source.has(value) && !this.readers.has(value));
    const last = this.read(node).filter((value) => {
      const left = this.readers.get(value)! - 1;
      this.readers.set(value, left);
      return left === 0;
    });
    return [...unread, ...last];
  }

  private read(node: Node): Value[] {
    return [...new Set(node.inputs.map((value) => this.sourceOf(value)))];
  }

  private sourceOf(value: Value): Value {
    return this.source.get(value) ?? value;
  }
}

/** The last leaf's ancestors first, and of several inputs the one that was made last. */
function runOrder(nodes: readonly Node[]): Node[] {
  const number = new Map(nodes.map((node, i) => [node, i]));
  const makers = (node: Node): Node[] => node.inputs.flatMap((value) => (value.node ? [value.node] : []));
  const read = new Set(nodes.flatMap(makers));
  const stack = nodes.filter((node) => !read.has(node)).map((node) => ({ node, done: false }));
  const seen = new Set<Node>();
  const order: Node[] = [];
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node, done } = entry;
    if (done) order.push(node);
    if (done || seen.has(node)) continue;
    seen.add(node);
    stack.push({ node, done: true });
    const next = [...new Set(makers(node))].filter((maker) => !seen.has(maker));
    next.sort((a, c) => number.get(a)! - number.get(c)!);
    for (const maker of next) stack.push({ node: maker, done: false });
  }
  return order;
}

type Scratch<K extends OpName> = (node: NodeOf<K>, bytes: (...shape: Dim[]) => number) => number;

/** What an operator needs while it runs, beyond its inputs and outputs, where it is worth counting (see lower.ts). */
const scratchTable: { [K in OpName]?: Scratch<K> } = {
  // Of one stretch of the vocabulary: its rows, logits, their differences and exponentials. Kept logits are outputs.
  headLogprobs: ({ attrs, inputs }, bytes) =>
    (attrs.kept ? 2 : 3) * bytes(inputs[0]!.shape[0]!, attrs.stretch) + bytes(attrs.stretch, inputs[2]!.shape[1]!),
  // The same; for the weight's gradient its rows in stretches, and once more put together.
  headLogprobsGradient: ({ attrs, inputs }, bytes) =>
    3 * bytes(inputs[0]!.shape[0]!, attrs.stretch) +
    bytes(attrs.stretch, inputs[2]!.shape[1]!) +
    (attrs.forWeight ? 2 * bytes(...inputs[2]!.shape) : 0),
  scatterRows: ({ inputs, outputs }, bytes) => bytes(...outputs[0]!.shape) + bytes(...inputs[0]!.shape),
  take: ({ attrs, inputs }, bytes) => (attrs.idsInside ? 0 : bytes(...inputs[0]!.shape)),
  // Scores of all heads, and queries and keys after the turn.
  cachedAttention: ({ attrs, inputs }, bytes) => {
    const [rows, length] = inputs[0]!.shape as [Dim, Dim];
    const capacity = inputs[3]!.shape[2]!;
    return bytes(rows, attrs.heads, length, capacity) + 3 * bytes(...inputs[0]!.shape);
  },
};

function scratchBytes(node: Node, dimensions: Dimensions): number {
  const scratch = scratchTable[node.op] as Scratch<OpName> | undefined;
  return scratch?.(node, (...shape) => sizeBytes(shape, dimensions)) ?? 0;
}

/** All types of values are four bytes wide but int64, which is used for positions only. */
function sizeBytes(shape: Shape, dimensions: Dimensions): number {
  return shape.reduce<number>((bytes, dim) => bytes * sizeOf(dim, dimensions), 4);
}

function sizeOf(dim: Dim, dimensions: Dimensions): number {
  const size = typeof dim === 'number' ? dim : dimensions[dim];
  if (size === undefined) throw new Error(`graphPeakBytes: no size is given for the dimension ${dim}`);
  return size;
}
