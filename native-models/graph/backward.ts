/**
 * Reverse-mode differentiation: walks the nodes backwards once and adds the gradient's nodes to the same graph.
 * Knows no operator by name; each one's rule is its row in gradients.ts.
 */
import type { GraphBuilder } from './builder.ts';
import { gradientTable } from './gradients.ts';
import type { Node, Value } from './ops.ts';

type AnyGradient = (b: GraphBuilder, node: Node, dy: Value, needs: (input: Value) => boolean) => (Value | null)[];

/**
 * Gradients of a scalar with respect to each of `parameters`, in their order.
 * @throws Error when `loss` is no scalar or does not depend on one of the parameters.
 */
export function backward(b: GraphBuilder, loss: Value, parameters: readonly Value[]): Value[] {
  if (loss.shape.length !== 0) throw new Error(`backward: the loss must be a scalar, it is [${loss.shape.join(',')}]`);
  const needed = dependents(b.nodes, parameters);
  const grads = new Map<Value, Value>([[loss, b.scalar(1)]]);
  for (const node of [...b.nodes].reverse()) {
    const outputGrads = node.outputs.map((output) => grads.get(output) ?? null);
    const dy = outputGrads[0];
    if (outputGrads.slice(1).some((grad) => grad !== null))
      throw new Error(`backward: only the first output of ${node.op} has a gradient`);
    if (!dy || !node.outputs.some((output) => needed.has(output))) continue;
    const inputGrads = (gradientTable[node.op] as AnyGradient)(b, node, dy, (input) => needed.has(input));
    node.inputs.forEach((value, i) => {
      const grad = inputGrads[i];
      if (!grad || !needed.has(value)) return;
      const earlier = grads.get(value);
      grads.set(value, earlier ? b.add(earlier, grad) : grad);
    });
  }
  return parameters.map((parameter) => {
    const grad = grads.get(parameter);
    if (!grad) throw new Error(`backward: the loss does not depend on ${parameter.name}`);
    return grad;
  });
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
