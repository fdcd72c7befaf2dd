/** The machine and the software that figures come from; figures without them say nothing. Knows nothing of what is measured. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

export interface Machine {
  cpu: string;
  /** Those that this process may use. */
  cores: number;
  memoryMb: number;
  platform: string;
  node: string;
  onnxruntime: string;
  /** Mean number of running processes over the minute before the start; null where the system does not say (Windows). */
  loadBefore: number | null;
}

export function describeMachine(): Machine {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryMb: Math.round(totalmem() / 1e6),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    onnxruntime: (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version,
    loadBefore: process.platform === 'win32' ? null : Number(loadavg()[0]!.toFixed(2)),
  };
}
