/** Fetching the CUDA provider from a NuGet registry on 127.0.0.1, its failures, and archives that are not what they say. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';
import {
  CUDA_FILES,
  fetchCudaLibrary,
  hasCudaLibrary,
  type CudaRequest,
} from '../../../native-models/hub/cuda-library.ts';
import { defaultRetry } from '../../../native-models/hub/retry.ts';
import { extractEntry } from '../../../native-models/hub/zip-entry.ts';
import { portOf } from './fake-hub.ts';
import { hubError, someBytes } from './pull-tiny.ts';

interface ZipFile {
  name: string;
  content: Buffer;
  stored?: boolean;
  /** Lies. */
  crc?: number;
  bytes?: number;
}

/** A ZIP archive as APPNOTE 6.3 has it. */
function zip(files: readonly ZipFile[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, content, stored = false, crc = crc32(content), bytes = content.length } of files) {
    const packed = stored ? content : deflateRawSync(content);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(stored ? 0 : 8, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(bytes, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    directory.push(entry, Buffer.from(name));
    parts.push(header, Buffer.from(name), packed);
    at += 30 + name.length + packed.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, list, end]);
}

const IN = 'runtimes/linux-x64/native/';
const cuda = someBytes(300_000, 5);
const shared = someBytes(5000, 6);
const goodPackage = zip([
  { name: '[Content_Types].xml', content: Buffer.from('<x/>'), stored: true },
  { name: `${IN}libonnxruntime_providers_shared.so`, content: shared },
  { name: `${IN}libonnxruntime_providers_cuda.so`, content: cuda },
]);

interface Registry {
  request: CudaRequest;
  library: string;
  asked: string[];
  /** What the record of the package says. */
  record: Record<string, unknown>;
  /** Addresses of requests to be cut after so many bytes, once each. */
  cut: Map<string, number>;
}

async function registry(t: TestContext, content = goodPackage): Promise<Registry> {
  const root = await mkdtemp(join(tmpdir(), 'waggle-cuda-'));
  const library = join(root, 'library');
  await mkdir(library);
  const asked: string[] = [];
  const cut = new Map<string, number>();
  const sha512 = createHash('sha512').update(content).digest('base64');
  const record: Record<string, unknown> = {
    packageHash: sha512,
    packageHashAlgorithm: 'SHA512',
    packageSize: content.length,
  };
  const name = 'microsoft.ml.onnxruntime.gpu.linux';
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(`${path} ${request.headers.range ?? ''}`.trim());
    const base = `http://127.0.0.1:${portOf(server)}`;
    const json = (value: unknown): void => void response.end(JSON.stringify(value));
    if (path === '/v3/index.json') {
      json({
        resources: [
          { '@id': `${base}/registration/`, '@type': 'RegistrationsBaseUrl' },
          { '@id': `${base}/flat/`, '@type': 'PackageBaseAddress/3.0.0' },
        ],
      });
    } else if (path === `/registration/${name}/1.30.0.json`) json({ catalogEntry: `${base}/catalog/x.json` });
    else if (path === '/catalog/x.json') json(record);
    else if (path === `/flat/${name}/1.30.0/${name}.1.30.0.nupkg`) {
      const [, from = '0', to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
      const end = to === undefined ? content.length : Number(to) + 1;
      const part = content.subarray(Number(from), end);
      const range = `bytes ${from}-${end - 1}/${content.length}`;
      response.writeHead(206, { 'content-range': range, 'content-length': part.length });
      const after = cut.get(path);
      cut.delete(path);
      if (after === undefined) response.end(part);
      else response.write(part.subarray(0, after), () => setTimeout(() => response.destroy(), 20));
    } else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(root, { recursive: true, force: true });
  });
  const retry = { ...defaultRetry, sleep: () => Promise.resolve() };
  const index = new URL(`http://127.0.0.1:${portOf(server)}/v3/index.json`);
  const request = {
    version: '1.30.0',
    libraryDirectory: library,
    workDirectory: join(root, 'work'),
    index,
    env: {},
    retry,
  };
  return { request, library, asked, record, cut };
}

test('the provider is fetched, checked, unpacked and put beside the runtime, and nothing else is left', async (t) => {
  const { request, library, asked, cut } = await registry(t);
  cut.set('/flat/microsoft.ml.onnxruntime.gpu.linux/1.30.0/microsoft.ml.onnxruntime.gpu.linux.1.30.0.nupkg', 1000);
  assert.equal(await hasCudaLibrary(library), false);
  const phases = new Set<string>();
  const placed = await fetchCudaLibrary({ ...request, onProgress: ({ phase }) => phases.add(phase) });
  assert.deepEqual(
    placed,
    CUDA_FILES.map((name) => join(library, name)),
  );
  assert.deepEqual(await readFile(join(library, 'libonnxruntime_providers_cuda.so')), cuda);
  assert.deepEqual(await readFile(join(library, 'libonnxruntime_providers_shared.so')), shared);
  assert.equal(await hasCudaLibrary(library), true);
  assert.deepEqual((await readdir(library)).sort(), [...CUDA_FILES].sort());
  assert.deepEqual(await readdir(request.workDirectory), []);
  assert.ok(
    asked.some((line) => line.endsWith(`bytes=1000-${goodPackage.length - 1}`)),
    'went on where it was cut',
  );
  assert.deepEqual([...phases].sort(), ['checking', 'fetching', 'unpacking', 'waiting']);
});

test('a package with another hash, or without one, is not unpacked', async (t) => {
  const { request, library, record } = await registry(t);
  record['packageHash'] = Buffer.alloc(64, 1).toString('base64');
  await assert.rejects(fetchCudaLibrary(request), hubError('hubWrongHash'));
  for (const lie of [
    { packageHash: 'abc' },
    { packageHashAlgorithm: 'MD5' },
    { packageSize: -1 },
    { packageSize: '5' },
  ]) {
    const other = await registry(t);
    Object.assign(other.record, lie);
    await assert.rejects(fetchCudaLibrary(other.request), hubError('hubNoHash'), JSON.stringify(lie));
  }
  assert.deepEqual(await readdir(library), []);
});

test('versions, folders and registries that are none are refused with the fix', async (t) => {
  const { request } = await registry(t);
  await assert.rejects(fetchCudaLibrary({ ...request, version: '../1' }), hubError('hubBadRequest'));
  await assert.rejects(fetchCudaLibrary({ ...request, version: '1.30.1' }), hubError('hubMissingFile'));
  await assert.rejects(
    fetchCudaLibrary({ ...request, libraryDirectory: '/nonexistent' }),
    hubError('hubBadRequest', /cannot be written/),
  );
  const index = new URL('/catalog/x.json', request.index);
  await assert.rejects(fetchCudaLibrary({ ...request, index }), hubError('hubBadAnswer'));
});

test('a package that lacks a file leaves nothing half in place', async (t) => {
  const { request, library } = await registry(
    t,
    zip([{ name: `${IN}libonnxruntime_providers_shared.so`, content: shared }]),
  );
  await assert.rejects(fetchCudaLibrary(request), hubError('hubBadAnswer', /has no .*cuda/));
  assert.deepEqual(await readdir(library), []);
});

test('archives that are damaged or lie are refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-zip-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [archive, target] = [join(folder, 'a.zip'), join(folder, 'out')];
  const take = async (content: Buffer, name = 'x'): Promise<void> => {
    await writeFile(archive, content);
    await extractEntry(archive, name, target, 1e6);
  };
  const content = someBytes(10_000, 8);
  for (const stored of [true, false]) {
    await take(zip([{ name: 'x', content, stored }]));
    assert.deepEqual(await readFile(target), content);
  }
  const good = zip([{ name: 'x', content }]);
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(good);
    copy.writeUInt32LE(value, at);
    return copy;
  };
  const directoryAt = good.readUInt32LE(good.length - 6);
  const bad: Record<string, Buffer> = {
    empty: Buffer.alloc(0),
    'no archive': someBytes(500),
    'cut at the end': good.subarray(0, good.length - 30),
    'cut at the start': good.subarray(40),
    'wrong crc': zip([{ name: 'x', content, crc: 1 }]),
    'more than it says': zip([{ name: 'x', content, bytes: 5000 }]),
    'less than it says': zip([{ name: 'x', content, bytes: 20_000 }]),
    'too large': zip([{ name: 'x', content, bytes: 2e6 }]),
    'other file': zip([{ name: 'y', content }]),
    'directory outside': changed(good.length - 6, 0x7fffffff),
    'entry outside': changed(directoryAt + 42, 0x7fffffff),
    'packed bytes outside': changed(directoryAt + 20, 0x7fffffff),
    'unknown method': changed(directoryAt + 8, 0x00630000),
    encrypted: changed(directoryAt + 8, 0x00080001),
  };
  for (const [what, bytes] of Object.entries(bad)) await assert.rejects(take(bytes), hubError('hubBadAnswer'), what);
  const noise = Buffer.from(good);
  noise.fill(0xff, 31, 200);
  await assert.rejects(take(noise), hubError('hubBadAnswer'), 'noise');
});
