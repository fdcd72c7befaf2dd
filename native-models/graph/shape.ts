/**
 * Shapes of graph values. A dimension is a number, or a name for a size known only when the graph runs
 * (`B` rows, `T` tokens). Two names are equal only when they are the same text: there is no arithmetic on them.
 */

export type DType = 'float32' | 'int32' | 'int64' | 'bool' | 'uint8' | 'float16';
export type Dim = number | string;
export type Shape = readonly Dim[];

/** A graph that cannot be right: raised while it is built, with the operator and its shapes. A bug, never bad input. */
export class ShapeError extends Error {
  readonly code = 'graphShape';
  constructor(op: string, problem: string, shapes: readonly Shape[]) {
    super(`${op}: ${problem} (${shapes.map(formatShape).join(', ')})`);
    this.name = 'ShapeError';
  }
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Numpy broadcasting; named dimensions match only themselves and 1. */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const left = a[a.length - rank + i] ?? 1;
    const right = b[b.length - rank + i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) throw new ShapeError(op, 'shapes do not broadcast', [a, b]);
    result.push(left === 1 ? right : left);
  }
  return result;
}

/** Axes of `output` over which `input` was repeated by broadcasting, for the sum in the reverse direction. */
export function broadcastAxes(input: Shape, output: Shape): number[] {
  const offset = output.length - input.length;
  const axes: number[] = [];
  for (let i = 0; i < output.length; i++) {
    if (i < offset || (input[i - offset] === 1 && output[i] !== 1)) axes.push(i);
  }
  return axes;
}

/** Number of elements of a shape without names. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const dim of shape) {
    if (typeof dim !== 'number') throw new ShapeError('elementCount', 'needs a shape without names', [shape]);
    count *= dim;
  }
  return count;
}

/** The permutation that transposes the last two axes. */
export function swapLastTwo(rank: number): number[] {
  return Array.from({ length: rank }, (_, i) => (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
}
