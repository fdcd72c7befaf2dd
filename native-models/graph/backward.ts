/**
 * Reverse-mode differentiation: walks the nodes backwards once and adds the gradient's nodes to the same graph.
 * Knows no operator by name; each one's rule is its row in gradients.ts.
 *
 * With `recompute` (Chen et al. 2016, arXiv 1604.06174) the values within the builder's segments are not kept for the gradient:
 * each segment's nodes are repeated from its input when the walk comes to it. The copies hang on the gradient of the segment's
 * output (`after`), so that a runtime can neither make them early nor find out that it has their values already.
 */
import type { GraphBuilder, Segment } from './builder.ts';
import { gradientTable } from './gradients.ts';
import type { Node, Value } from './ops.ts';

type AnyGradient = (b: GraphBuilder, node: Node, dy: Value, needs: (input: Value) => boolean) => (Value | null)[];

/**
 * Gradients of a scalar with respect to each of `parameters`, in their order.
 * @throws Error when `loss` is no scalar or does not depend on one of the parameters, and with `recompute` when a value within a
 * segment is used outside of it.
 */
export function backward(
  b: GraphBuilder,
  loss: Value,
  parameters: readonly Value[],
  { recompute = false }: { recompute?: boolean } = {},
): Value[] {
  if (loss.shape.length !== 0) throw new Error(`backward: the loss must be a scalar, it is [${loss.shape.join(',')}]`);
  const walk = new ReverseWalk(b, loss, parameters);
  const nodes = [...b.nodes];
  const segments = new Map(recompute ? b.segments.map((segment) => [segment.end, segment]) : []);
  for (let end = nodes.length; end > 0;) {
    const segment = segments.get(end);
    if (segment) walk.throughSegment(segment, nodes.slice(segment.first, end));
    else walk.through(nodes[end - 1]!);
    end = segment ? segment.first : end - 1;
  }
  return parameters.map((parameter) => {
    const grad = walk.grads.get(parameter);
    if (!grad) throw new Error(`backward: the loss does not depend on ${parameter.name}`);
    return grad;
  });
}

class ReverseWalk {
  readonly grads: Map<Value, Value>;
  private readonly b: GraphBuilder;
  private readonly needed: Set<Value>;

  constructor(b: GraphBuilder, loss: Value, parameters: readonly Value[]) {
    this.b = b;
    this.grads = new Map([[loss, b.scalar(1)]]);
    this.needed = dependents(b.nodes, parameters);
  }

  through(node: Node): void {
    const { b, grads, needed } = this;
    const outputGrads = node.outputs.map((output) => grads.get(output) ?? null);
    const dy = outputGrads[0];
    if (outputGrads.slice(1).some((grad) => grad !== null))
      throw new Error(`backward: only the first output of ${node.op} has a gradient`);
    if (!dy || !node.outputs.some((output) => needed.has(output))) return;
    const inputGrads = (gradientTable[node.op] as AnyGradient)(b, node, dy, (input) => needed.has(input));
    node.inputs.forEach((value, i) => {
      const grad = inputGrads[i];
      if (grad && needed.has(value)) this.addGradient(value, grad);
    });
  }

  throughSegment({ input, output }: Segment, nodes: readonly Node[]): void {
    const { b, grads } = this;
    const dy = grads.get(output);
    if (nodes.some(({ outputs }) => outputs.some((value) => value !== output && grads.has(value))))
      throw new Error(`backward: a value within the segment of ${output.name} is used outside of it`);
    if (!dy || !this.needed.has(output)) return;
    const copies = new Map<Value, Value>();
    const copy = (value: Value, made: Value): void => {
      copies.set(value, made);
      if (this.needed.has(value)) this.needed.add(made);
    };
    copy(input, b.after(input, dy));
    const repeated = nodes.map((node) => {
      const inputs = node.inputs.map((value) => copies.get(value) ?? value);
      const made = b.apply(node.op, node.attrs, inputs);
      node.outputs.forEach((value, i) => copy(value, made.outputs[i]!));
      return made as unknown as Node;
    });
    grads.set(copies.get(output)!, dy);
    for (const node of repeated.reverse()) this.through(node);
    const toInput = grads.get(copies.get(input)!);
    if (toInput) this.addGradient(input, toInput);
  }

  private addGradient(value: Value, grad: Value): void {
    const earlier = this.grads.get(value);
    this.grads.set(value, earlier ? this.b.add(earlier, grad) : grad);
  }
}

/** The values on some path from a parameter. Nodes are in topological order by construction. */
function dependents(nodes: readonly Node[], parameters: readonly Value[]): Set<Value> {
  const found = new Set<Value>(parameters);
  for (const node of nodes) {
    if (node.op !== 'stopGradient' && node.inputs.some((value) => found.has(value))) {
      for (const output of node.outputs) found.add(output);
    }
  }
  return found;
}
