/**
 * For which machine a provider's verdict holds: system, runtime, graphics cards and their drivers. Another key means that the trial
 * has to be run again. Knows nothing of verdicts.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runtimeLibrary } from '../../../native-models/runtime/runtime-library.ts';
import { appVersion } from '../../base/app-root.ts';
import type { MachineReport } from './hardware.ts';
import type { TriedMachine } from './provider-choice.ts';

/** Where Vulkan drivers of Linux say that they are there: what WebGPU computes with. A new driver writes its file anew. */
const VULKAN_FOLDERS = ['/etc/vulkan/icd.d', '/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];

export interface DriverPlaces {
  /** Folder of ONNX Runtime: a CUDA provider that was fetched since is a change. */
  runtime: () => Promise<{ version: string; directory: string }>;
  vulkan: readonly string[];
}
const hereAndNow: DriverPlaces = {
  runtime: runtimeLibrary,
  vulkan: process.platform === 'linux' ? VULKAN_FOLDERS : [],
};

export async function triedMachine(
  { cpu, gpus, os }: Pick<MachineReport, 'cpu' | 'gpus' | 'os'>,
  places: DriverPlaces = hereAndNow,
): Promise<TriedMachine> {
  const runtime = await places.runtime().catch(() => null);
  const files = await Promise.all([...places.vulkan, ...(runtime ? [runtime.directory] : [])].map(filesIn));
  const key = JSON.stringify([
    appVersion,
    runtime?.version ?? null,
    os,
    cpu.model,
    gpus.map(({ name, driver }) => [name, driver]),
    files.flat(),
  ]);
  const nvidia = gpus.filter(({ name, vendor }) => /nvidia/i.test(`${vendor} ${name}`)).length;
  return {
    key,
    gpuNames: gpus.map(({ name }) => name),
    devices: { cuda: Math.max(1, nvidia), dml: Math.max(1, gpus.length) },
  };
}

/** Names, sizes and times of writing; none where the folder is not there. */
async function filesIn(folder: string): Promise<[string, number, number][]> {
  const names = await readdir(folder).catch(() => []);
  const files = names.sort().map(async (name): Promise<[string, number, number] | null> => {
    const file = await stat(join(folder, name)).catch(() => null);
    return file?.isFile() ? [name, file.size, Math.round(file.mtimeMs)] : null;
  });
  return (await Promise.all(files)).filter((file) => file !== null);
}
