/**
 * Writes an ONNX ModelProto as bytes: the protobuf wire format of just the messages and fields used here (onnx.proto3,
 * IR version 10). Knows nothing of shapes or of what the operators mean.
 */
import type { Dim, DType } from './shape.ts';

export type OnnxAttribute = { int: number } | { float: number } | { string: string } | { ints: readonly number[] };
export interface OnnxNode {
  opType: string;
  /** '' is the default domain. */
  domain: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}
export interface OnnxTensor {
  name: string;
  dtype: DType;
  dims: readonly number[];
  /** Null: the bytes are handed to the session beside the model, under the tensor's name. */
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array | null;
}
export interface OnnxValueInfo {
  name: string;
  dtype: DType;
  shape: readonly Dim[];
}
export interface OnnxModel {
  name: string;
  nodes: readonly OnnxNode[];
  initializers: readonly OnnxTensor[];
  inputs: readonly OnnxValueInfo[];
  outputs: readonly OnnxValueInfo[];
}

const IR_VERSION = 10;
const OPSETS: readonly (readonly [domain: string, version: number])[] = [
  ['', 21],
  ['com.microsoft', 1],
];
const ELEMENT_TYPE: Record<DType, number> = { float32: 1, int32: 6, int64: 7, bool: 9, uint8: 2, float16: 10 };
const EXTERNAL = 1;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** Grows one buffer; nested messages are written to a writer of their own. */
class MessageWriter {
  private bytes = new Uint8Array(256);
  private length = 0;

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
  int(field: number, value: number): void {
    this.tag(field, 0);
    this.varint(BigInt.asUintN(64, BigInt(value)));
  }
  float(field: number, value: number): void {
    this.tag(field, 5);
    this.append(new Uint8Array(Float32Array.of(value).buffer));
  }
  text(field: number, value: string): void {
    this.raw(field, new TextEncoder().encode(value));
  }
  raw(field: number, value: Uint8Array): void {
    this.tag(field, 2);
    this.varint(BigInt(value.length));
    this.append(value);
  }
  message(field: number, write: (nested: MessageWriter) => void): void {
    const nested = new MessageWriter();
    write(nested);
    this.raw(field, nested.finish());
  }
  private tag(field: number, wireType: number): void {
    this.varint(BigInt((field << 3) | wireType));
  }
  private varint(value: bigint): void {
    const bytes: number[] = [];
    let rest = value;
    while (rest > 127n) {
      bytes.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    bytes.push(Number(rest));
    this.append(Uint8Array.from(bytes));
  }
  private append(more: Uint8Array): void {
    if (this.length + more.length > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(more, this.length);
    this.length += more.length;
  }
}

function writeAttribute(w: MessageWriter, name: string, attribute: OnnxAttribute): void {
  w.text(1, name);
  if ('float' in attribute) {
    w.float(2, attribute.float);
    w.int(20, ATTRIBUTE_TYPE.float);
  } else if ('int' in attribute) {
    w.int(3, attribute.int);
    w.int(20, ATTRIBUTE_TYPE.int);
  } else if ('string' in attribute) {
    w.text(4, attribute.string);
    w.int(20, ATTRIBUTE_TYPE.string);
  } else {
    for (const value of attribute.ints) w.int(8, value);
    w.int(20, ATTRIBUTE_TYPE.ints);
  }
}

function writeNode(w: MessageWriter, node: OnnxNode, index: number): void {
  for (const name of node.inputs) w.text(1, name);
  for (const name of node.outputs) w.text(2, name);
  w.text(3, `${node.opType}_${index}`);
  w.text(4, node.opType);
  for (const [name, attribute] of Object.entries(node.attributes))
    w.message(5, (a) => writeAttribute(a, name, attribute));
  w.text(7, node.domain);
}

function writeTensor(w: MessageWriter, tensor: OnnxTensor): void {
  for (const dim of tensor.dims) w.int(1, dim);
  w.int(2, ELEMENT_TYPE[tensor.dtype]);
  w.text(8, tensor.name);
  if (tensor.data) {
    w.raw(9, new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength));
    return;
  }
  w.message(13, (entry) => {
    entry.text(1, 'location');
    entry.text(2, tensor.name);
  });
  w.int(14, EXTERNAL);
}

function writeValueInfo(w: MessageWriter, info: OnnxValueInfo): void {
  w.text(1, info.name);
  w.message(2, (type) =>
    type.message(1, (tensorType) => {
      tensorType.int(1, ELEMENT_TYPE[info.dtype]);
      tensorType.message(2, (shape) => {
        for (const dim of info.shape) {
          shape.message(1, (d) => (typeof dim === 'number' ? d.int(1, dim) : d.text(2, dim)));
        }
      });
    }),
  );
}

export function encodeModel(model: OnnxModel): Uint8Array {
  const w = new MessageWriter();
  w.int(1, IR_VERSION);
  w.text(2, 'waggle');
  w.message(7, (graph) => {
    model.nodes.forEach((node, i) => graph.message(1, (n) => writeNode(n, node, i)));
    graph.text(2, model.name);
    for (const tensor of model.initializers) graph.message(5, (t) => writeTensor(t, tensor));
    for (const info of model.inputs) graph.message(11, (v) => writeValueInfo(v, info));
    for (const info of model.outputs) graph.message(12, (v) => writeValueInfo(v, info));
  });
  for (const [domain, version] of OPSETS) {
    w.message(8, (opset) => {
      opset.text(1, domain);
      opset.int(2, version);
    });
  }
  return w.finish();
}
