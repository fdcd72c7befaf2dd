/** `waggle cuda` up to where it would write: the library's place and version, bad addresses, a registry that has nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { cudaIsFetched, hasCudaLibrary } from '../../../native-models/hub/cuda-library.ts';
import { runtimeLibrary } from '../../../native-models/runtime/runtime-library.ts';
import { appRoot } from '../../../src-main/base/app-root.ts';
import { runCli } from '../../../src-main/cli/program.ts';
import { portOf } from '../hub/fake-hub.ts';

async function cuda(...args: string[]): Promise<{ code: number; out: string }> {
  let out = '';
  const terminal = { print: (text: string) => void (out += text), complain: () => undefined, colours: false };
  const surroundings = { terminal, env: {}, version: '0', interrupted: new AbortController().signal };
  return { code: await runCli(['cuda', '--json', ...args], surroundings), out };
}

test('the runtime in use is found with its version, beside its library', async () => {
  const { version, directory } = await runtimeLibrary();
  const pack = JSON.parse(readFileSync(join(appRoot, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  assert.equal(version, pack.dependencies['onnxruntime-node']);
  assert.ok(existsSync(join(directory, 'onnxruntime_binding.node')));
});

const here = cudaIsFetched(process.platform, process.arch);
const skip =
  here && (await hasCudaLibrary((await runtimeLibrary()).directory)) ? 'the provider is installed here' : false;

test('what cannot be fetched says why', { skip }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'waggle-cuda-cli-'));
  const server = createServer((_request, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    rmSync(data, { recursive: true, force: true });
  });
  const codeOf = ({ out }: { out: string }): string => (JSON.parse(out) as { fault: { code: string } }).fault.code;
  const index = `http://127.0.0.1:${portOf(server)}/v3/index.json`;
  const missing = await cuda('--data', data, '--index', index);
  assert.deepEqual([missing.code, codeOf(missing)], [1, here ? 'hubMissingFile' : 'noCudaHere']);
  assert.equal(codeOf(await cuda('--data', data, '--index', 'nonsense')), here ? 'badIndex' : 'noCudaHere');
  if (here) assert.equal(await hasCudaLibrary((await runtimeLibrary()).directory), false);
});
