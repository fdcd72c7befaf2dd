// Safetensors: whatever is written is read back; random and damaged bytes give a typed error or a consistent header, never anything else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SafetensorsError } from '../../native-models/checkpoint/safetensors-error.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type TensorToWrite,
} from '../../native-models/checkpoint/safetensors.ts';

const shape = fc.array(fc.nat({ max: 4 }), { maxLength: 3 });
const count = (sizes: number[]) => sizes.reduce((product, size) => product * size, 1);
const tensor = shape.chain((sizes): fc.Arbitrary<TensorToWrite> => {
  const length = { minLength: count(sizes), maxLength: count(sizes) };
  return fc.oneof(
    fc.float32Array(length).map((data) => ({ shape: sizes, data })),
    fc.uint16Array(length).map((data) => ({ dtype: 'BF16' as const, shape: sizes, data })),
    fc.bigInt64Array(length).map((data) => ({ dtype: 'I64' as const, shape: sizes, data })),
    fc.int32Array(length).map((data) => ({ dtype: 'I32' as const, shape: sizes, data })),
    fc.uint8Array(length).map((data) => ({ dtype: 'U8' as const, shape: sizes, data })),
  );
});
const name = fc
  .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '0', '10', '2'))
  .filter((text) => text !== '__metadata__' && text !== '__proto__');
const tensors = fc.dictionary(name, tensor, { maxKeys: 6 });
const metadata = fc.dictionary(
  fc.string().filter((key) => key !== '__proto__'),
  fc.string({ unit: 'binary' }),
  { maxKeys: 3 },
);

test('written and read back', () => {
  fc.assert(
    fc.property(tensors, metadata, fc.nat({ max: 7 }), (written, texts, shift) => {
      const encoded = encodeSafetensors(written, texts);
      const moved = new Uint8Array(encoded.length + shift).subarray(shift); // any alignment
      moved.set(encoded);
      const read = decodeSafetensors(moved);
      assert.deepEqual({ ...read.metadata }, { ...texts });
      assert.deepEqual([...read.entries.keys()].sort(), Object.keys(written).sort());
      for (const [key, { dtype = 'F32', shape: sizes, data }] of Object.entries(written)) {
        assert.deepEqual(read.read(key), { dtype, shape: sizes, data });
      }
    }),
    { numRuns: 300 },
  );
});

/** Reads everything; passes on what came out, or the typed error. Anything else fails the test. */
function readAll(bytes: Uint8Array): SafetensorsError | null {
  try {
    const opened = decodeSafetensors(bytes);
    let covered = 0;
    for (const entry of opened.entries.values()) {
      covered += entry.byteLength;
      assert.ok(entry.byteOffset + entry.byteLength <= bytes.length);
      if (['F32', 'F16', 'BF16', 'I64', 'I32', 'U8'].includes(entry.dtype))
        assert.equal(opened.read(entry.name).data.byteLength, entry.byteLength);
    }
    assert.ok(covered <= bytes.length);
    return null;
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
}

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readAll(bytes)),
    { numRuns: 1000 },
  );
});

const someJson = fc.json({ maxDepth: 4 });
const looseEntry = fc.record(
  {
    dtype: fc.oneof(fc.constantFrom('F32', 'U8', 'BF16', 'F64'), fc.string(), fc.jsonValue()),
    shape: fc.oneof(fc.array(fc.oneof(fc.nat({ max: 3 }), fc.double(), fc.integer())), fc.constant(null)),
    data_offsets: fc.oneof(
      fc.tuple(fc.integer({ min: -1, max: 20 }), fc.integer({ min: -1, max: 20 })),
      fc.array(fc.double()),
    ),
  },
  { requiredKeys: [] },
);
test('well-framed headers of any JSON, and of nearly right entries', () => {
  const header = fc.oneof(
    someJson,
    fc.dictionary(fc.string(), looseEntry).map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 24 }), (json, body) => {
      const text = new TextEncoder().encode(json);
      const bytes = new Uint8Array(8 + text.length + body.length);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
      bytes.set(text, 8);
      bytes.set(body, 8 + text.length);
      readAll(bytes);
    }),
    { numRuns: 1000 },
  );
});

test('every cut of a good file is refused; every changed byte is refused or still consistent', () => {
  const good = encodeSafetensors(
    {
      a: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      b: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
    },
    { note: 'x' },
  );
  assert.equal(readAll(good), null);
  for (let length = 0; length < good.length; length++)
    assert.ok(readAll(good.slice(0, length)) !== null, `cut at ${length}`);
  for (let at = 0; at < good.length; at++) {
    for (const flip of [1, 2, 16, 128]) {
      const damaged = good.slice();
      damaged[at]! ^= flip;
      readAll(damaged);
    }
  }
});
