/**
 * `cuda`: fetches ONNX Runtime's CUDA provider on request, the one part of it that its package leaves out (Linux x64). Whether it
 * then works is for `doctor` to say.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CudaProgress } from '../../native-models/hub/cuda-library.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { dataDirectoryOf, type NodePlace } from './find-node.ts';
import { formatBytes, formatDuration } from './quantities.ts';
import { harmless, type Terminal } from './terminal.ts';

interface Options extends NodePlace {
  json?: boolean;
  index?: string;
}

const SAY_EVERY_MS = 2000;

export function addCudaCommand(
  program: Command,
  { terminal, env }: { terminal: Terminal; env: NodeJS.ProcessEnv },
): void {
  program
    .command('cuda')
    .description("fetch ONNX Runtime's CUDA provider (Linux x64 with CUDA 12 and cuDNN 9)")
    .option('--index <url>', 'service index of another NuGet registry')
    .option('--data <dir>', "the node's data folder, where the package is unpacked [WAGGLE_DATA]")
    .option('--config <file>', 'JSON file with settings that names the data folder [WAGGLE_CONFIG]')
    .option('--json', 'print JSON')
    .action((options: Options) => fetchCuda(options, terminal, env));
}

async function fetchCuda(options: Options, terminal: Terminal, env: NodeJS.ProcessEnv): Promise<void> {
  const { cudaIsFetched, fetchCudaLibrary, hasCudaLibrary } = await import('../../native-models/hub/cuda-library.ts');
  const { runtimeLibrary } = await import('../../native-models/runtime/runtime-library.ts');
  if (!cudaIsFetched(process.platform, process.arch)) throw notHere();
  const { version, directory } = await runtimeLibrary();
  const alreadyThere = await hasCudaLibrary(directory);
  if (!alreadyThere) {
    await fetchCudaLibrary({
      version,
      libraryDirectory: directory,
      workDirectory: join(dataDirectoryOf(options, env), 'downloads'),
      ...(options.index === undefined ? {} : { index: parseIndex(options.index) }),
      env,
      onProgress: options.json === true ? () => undefined : progressOn(terminal),
    });
  }
  const words = alreadyThere ? 'is there already' : 'is in place';
  if (options.json === true) terminal.print(JSON.stringify({ version, directory, alreadyThere }, null, 2));
  else
    terminal.print(`The CUDA provider of ONNX Runtime ${version} ${words}. See whether it works here: waggle doctor`);
}

function progressOn(terminal: Terminal): (progress: CudaProgress) => void {
  let saidAtMs = -Infinity;
  return (progress) => {
    if (progress.phase === 'waiting')
      terminal.complain(`${harmless(progress.reason)} Trying again in ${formatDuration(progress.waitMs)}.`);
    else if (progress.phase === 'unpacking') terminal.complain('Unpacking...');
    else if (performance.now() - saidAtMs >= SAY_EVERY_MS) {
      saidAtMs = performance.now();
      const { doneBytes, totalBytes, bytesPerSecond } = progress;
      const rate = bytesPerSecond === null ? '' : `, ${formatBytes(bytesPerSecond)}/s`;
      terminal.complain(`${Math.floor((100 * doneBytes) / totalBytes)} % of ${formatBytes(totalBytes)}${rate}`);
    }
  };
}

function parseIndex(text: string): URL {
  if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text);
  throw new NodeFault({
    code: 'badIndex',
    message: `${JSON.stringify(text.slice(0, 120))} is no http:// or https:// address.`,
    fix: "Name the registry's service index, for example https://api.nuget.org/v3/index.json.",
  });
}

function notHere(): NodeFault {
  return new NodeFault({
    code: 'noCudaHere',
    message: `There is nothing to fetch for ${process.platform} ${process.arch}.`,
    fix: 'See with `waggle doctor` what computes here: Windows has DirectML and WebGPU, macOS CoreML and WebGPU, both bundled.',
  });
}
