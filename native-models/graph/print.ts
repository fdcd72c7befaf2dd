/** A graph as text, one node a line, for people and for tests: `add_3 [B,T] float32 = add(x, y)`. */
import type { GraphBuilder } from './builder.ts';
import { liveNodes } from './lower.ts';
import type { Value } from './ops.ts';
import { formatShape } from './shape.ts';

const typed = (value: Value): string => `${value.name} ${formatShape(value.shape)} ${value.dtype}`;

export function printGraph(b: GraphBuilder): string {
  const lines = b.inputs.map((value) => `input ${typed(value)}`);
  for (const node of liveNodes(b)) {
    const attrs = Object.keys(node.attrs).length > 0 ? ` ${JSON.stringify(node.attrs)}` : '';
    lines.push(
      `${node.outputs.map(typed).join(', ')} = ${node.op}(${node.inputs.map((v) => v.name).join(', ')})${attrs}`,
    );
  }
  return [...lines, `outputs ${b.outputs.map(({ name, value }) => `${name} = ${value.name}`).join(', ')}`].join('\n');
}
