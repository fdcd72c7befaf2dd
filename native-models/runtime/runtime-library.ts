/**
 * Where onnxruntime-node's native library lies and which version it is, without loading it. In a packaged app native files are
 * outside of the archive that scripts are in.
 */
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RuntimeLibrary {
  version: string;
  directory: string;
}

/** @throws Error when the package has no library for this platform. */
export async function runtimeLibrary(): Promise<RuntimeLibrary> {
  const entry = fileURLToPath(import.meta.resolve('onnxruntime-node'));
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  const bin = join(root.replace(/app\.asar(?=[/\\])/, 'app.asar.unpacked'), 'bin');
  const build = (await readdir(bin)).find((name) => /^napi-v\d+$/.test(name));
  if (build === undefined) throw new Error(`${bin} holds no build of ONNX Runtime`);
  return { version, directory: join(bin, build, process.platform, process.arch) };
}
