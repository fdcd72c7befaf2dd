// Safetensors against Python's library both ways, its verdicts on hostile files, and failures of files and disks.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { SafetensorsError, type SafetensorsErrorCode } from '../../../native-models/checkpoint/safetensors-error.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  openSafetensors,
  writeSafetensors,
} from '../../../native-models/checkpoint/safetensors.ts';
import { ourMetadata, ourTensors } from '../../golden/checkpoint/write-ours.ts';

interface Listed {
  dtype: string;
  shape: number[];
  values: (number | string)[];
}
interface Vectors {
  pythonFile: { bytes: string; metadata: Record<string, string>; tensors: Record<string, Listed> };
  hostile: { name: string; bytes: string; accepted: boolean }[];
  ours: { sha256: string; metadata: Record<string, string>; tensors: Record<string, Listed> };
}
const vectors = JSON.parse(
  await readFile(new URL('../../golden/checkpoint/vectors.json', import.meta.url), 'utf8'),
) as Vectors;
const directory = await mkdtemp(join(tmpdir(), 'waggle-safetensors-'));
after(() => rm(directory, { recursive: true, force: true }));

const torchName: Record<string, string> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  U8: 'uint8',
};
const isCode = (code: SafetensorsErrorCode, tensor?: string | null) => (error: unknown) => {
  assert.ok(error instanceof SafetensorsError, String(error));
  assert.equal(error.code, code, error.message);
  if (tensor !== undefined) assert.equal(error.tensor, tensor);
  assert.ok(error.fix.length > 20 && error.message.endsWith(error.fix));
  return true;
};

describe('a file written by Python', async () => {
  const bytes = Buffer.from(vectors.pythonFile.bytes, 'base64');
  const file = join(directory, 'python.safetensors');
  await writeFile(file, bytes);
  test('every tensor is read right, from the file and from bytes', async () => {
    const opened = await openSafetensors(file);
    const decoded = decodeSafetensors(bytes);
    assert.deepEqual({ ...opened.metadata }, vectors.pythonFile.metadata);
    assert.deepEqual([...opened.entries.keys()].sort(), Object.keys(vectors.pythonFile.tensors).sort());
    for (const [name, expected] of Object.entries(vectors.pythonFile.tensors)) {
      const entry = opened.entries.get(name)!;
      assert.deepEqual(entry.shape, expected.shape);
      if (entry.dtype === 'F64' || entry.dtype === 'BOOL') {
        await assert.rejects(opened.read(name), isCode('unsupportedDtype', name));
        continue;
      }
      const stored = await opened.read(name);
      assert.deepEqual(decoded.read(name), stored);
      assert.equal(torchName[stored.dtype], expected.dtype);
      const isFloat = expected.dtype.includes('float');
      const values = isFloat
        ? [...(await opened.readFloats(name))]
        : Array.from<number | bigint>(stored.data as Int32Array);
      assert.deepEqual(stored.dtype === 'I64' ? values.map(String) : values, expected.values);
      if (!isFloat) await assert.rejects(opened.readFloats(name), isCode('unsupportedDtype', name));
    }
    await opened.close();
    await opened.close();
  });
  test('a tensor that is not there', () => {
    assert.throws(() => decodeSafetensors(bytes).read('toString'), isCode('noSuchTensor', 'toString'));
  });
  test('byte offsets are from the start of the file', () => {
    const entry = decodeSafetensors(bytes).entries.get('byte')!;
    assert.deepEqual([...bytes.subarray(entry.byteOffset, entry.byteOffset + entry.byteLength)], [0, 1, 2, 3, 4]);
  });
});

describe('a file written here', () => {
  test('is the one that Python was given, and Python read the same', async () => {
    const file = join(directory, 'ours.safetensors');
    await writeSafetensors(file, ourTensors, ourMetadata);
    const bytes = await readFile(file);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), vectors.ours.sha256);
    assert.deepEqual(bytes, Buffer.from(encodeSafetensors(ourTensors, ourMetadata)));
    assert.deepEqual(vectors.ours.metadata, ourMetadata);
    assert.deepEqual(Object.keys(vectors.ours.tensors).sort(), Object.keys(ourTensors).sort());
    const decoded = decodeSafetensors(bytes);
    for (const [name, read] of Object.entries(vectors.ours.tensors)) {
      const stored = decoded.read(name);
      assert.equal(torchName[stored.dtype], read.dtype);
      assert.deepEqual(stored.shape, read.shape);
      const values = read.dtype.includes('float')
        ? [...decoded.readFloats(name)]
        : Array.from<number | bigint>(stored.data as Int32Array);
      assert.deepEqual(
        stored.dtype === 'I64' ? values.map(String) : values.map((value) => (value === Infinity ? 'inf' : value)),
        read.values,
      );
      assert.equal(decoded.entries.get(name)!.byteOffset % stored.data.BYTES_PER_ELEMENT, 0);
    }
  });
  test('replaces the earlier file in one step and leaves nothing else behind', async () => {
    const folder = await mkdtemp(join(directory, 'write-'));
    const file = join(folder, 'a.safetensors');
    await writeSafetensors(file, { a: { shape: [1], data: Float32Array.of(1) } });
    await writeSafetensors(file, { a: { shape: [1], data: Float32Array.of(2) } });
    const wrong = { a: { shape: [2], data: Float32Array.of(3) } };
    await assert.rejects(writeSafetensors(file, wrong), isCode('badTensor', 'a'));
    assert.deepEqual([...decodeSafetensors(await readFile(file)).readFloats('a')], [2]);
    assert.deepEqual(await readdir(folder), ['a.safetensors']);
  });
  test('tensors larger than a chunk, narrowed across chunk borders', async () => {
    const data = Float32Array.from({ length: 700_001 }, (_, i) => (i % 2048) - 1024);
    const file = join(directory, 'large.safetensors');
    await writeSafetensors(file, { f32: { shape: [700_001], data }, f16: { dtype: 'F16', shape: [700_001], data } });
    const opened = await openSafetensors(file);
    assert.deepEqual(await opened.readFloats('f32'), data);
    assert.deepEqual(await opened.readFloats('f16'), data);
    await opened.close();
  });
  const bad: [string, Parameters<typeof encodeSafetensors>[0]][] = [
    ['__metadata__', { ['__metadata__']: { shape: [1], data: Float32Array.of(1) } }],
    ['negative', { negative: { shape: [-1], data: Float32Array.of(1) } }],
    ['fraction', { fraction: { shape: [0.5], data: Float32Array.of(1) } }],
    ['length', { length: { shape: [2, 2], data: Float32Array.of(1) } }],
    ['type', { type: { dtype: 'I32', shape: [1], data: Float32Array.of(1) } }],
    ['bits', { bits: { dtype: 'F32', shape: [1], data: Uint16Array.of(1) } }],
    ['\ud800', { '\ud800': { shape: [1], data: Float32Array.of(1) } }],
  ];
  for (const [name, tensors] of bad) {
    test(`refuses to write: ${JSON.stringify(name)}`, () =>
      assert.throws(() => encodeSafetensors(tensors), isCode('badTensor', name)));
  }
});

describe('hostile files', () => {
  // Stricter than the library on purpose: the format says "must begin with {" and "duplicate keys are disallowed".
  const stricter = new Set(['leading space', 'duplicate name', 'duplicate name, escaped']);
  for (const { name, bytes, accepted } of vectors.hostile) {
    test(`${name}: ${accepted && !stricter.has(name) ? 'accepted' : 'refused'}`, async () => {
      const raw = Buffer.from(bytes, 'base64');
      const file = join(directory, 'hostile.safetensors');
      await writeFile(file, raw);
      const outcomes = [
        await outcome(async () => (await openSafetensors(file)).close()),
        await outcome(() => decodeSafetensors(raw, file)),
      ];
      for (const result of outcomes) assert.equal(result === null, accepted && !stricter.has(name), String(result));
      assert.equal(outcomes[0], outcomes[1]);
    });
  }
  const code = (name: string) =>
    outcome(() => decodeSafetensors(Buffer.from(vectors.hostile.find((row) => row.name === name)!.bytes, 'base64')));
  test('the codes say what is wrong', async () => {
    const expected: Record<string, SafetensorsErrorCode> = {
      nothing: 'truncated',
      'length beyond the file': 'truncated',
      'length 2^63': 'headerTooLarge',
      'not JSON': 'notJson',
      'a list': 'notJson',
      'duplicate name, escaped': 'duplicateName',
      overlap: 'overlap',
      hole: 'hole',
      'bytes after the end': 'hole',
      'data cut short': 'outOfRange',
      'negative size': 'badShape',
      'product wraps to one': 'badShape',
      'unknown dtype': 'unsupportedDtype',
      'dtype from a prototype': 'unsupportedDtype',
      'size against the range': 'sizeMismatch',
      'metadata of numbers': 'badHeader',
    };
    for (const [name, wanted] of Object.entries(expected)) assert.equal(await code(name), wanted, name);
  });
  test('a header that claims to be at the limit of size is not read', () => {
    const bytes = new Uint8Array(16);
    new DataView(bytes.buffer).setBigUint64(0, 16n * 1024n * 1024n + 1n, true);
    assert.throws(() => decodeSafetensors(bytes), isCode('headerTooLarge', null));
  });
  test('a megabyte of quotes, backslashes or brackets in a name takes linear time', () => {
    for (const piece of ['\\', '"', '[{', ': ,']) {
      const name = piece.repeat(1_000_000);
      const bytes = encodeSafetensors({ [name]: { shape: [1], data: Float32Array.of(1) } });
      const start = performance.now();
      assert.deepEqual([...decodeSafetensors(bytes).entries.keys()], [name]);
      assert.ok(performance.now() - start < 2000);
    }
  });
});

describe('files that fail', () => {
  const nan = {
    ok: { shape: [1], data: Float32Array.of(1) },
    bad: { dtype: 'F16' as const, shape: [3], data: Float32Array.of(1, NaN, Infinity) },
  };
  test('not finite, only where asked', () => {
    const decoded = decodeSafetensors(encodeSafetensors(nan));
    assert.deepEqual([...decoded.readFloats('ok', { requireFinite: true })], [1]);
    assert.deepEqual([...decoded.readFloats('bad')], [1, NaN, Infinity]);
    assert.throws(() => decoded.readFloats('bad', { requireFinite: true }), isCode('notFinite', 'bad'));
  });
  test('missing file, a folder, a file cut while it is open', async () => {
    await assert.rejects(openSafetensors(join(directory, 'none')), isCode('missingFile'));
    await mkdir(join(directory, 'folder'), { recursive: true });
    await assert.rejects(openSafetensors(join(directory, 'folder')), (error) => error instanceof SafetensorsError);
    const file = join(directory, 'cut.safetensors');
    await writeSafetensors(file, { a: { shape: [1000], data: new Float32Array(1000) } });
    const opened = await openSafetensors(file);
    await truncate(file, 500);
    await assert.rejects(opened.read('a'), isCode('truncated', 'a'));
    await opened.close();
  });
  test('a folder that is not there cannot be written to', async () => {
    await assert.rejects(
      writeSafetensors(join(directory, 'no', 'such', 'x'), {}),
      (error) => error instanceof SafetensorsError,
    );
  });
});

async function outcome(run: () => unknown): Promise<SafetensorsErrorCode | null> {
  try {
    await run();
    return null;
  } catch (error) {
    assert.ok(error instanceof SafetensorsError, `not typed: ${String(error)}`);
    return error.code;
  }
}
