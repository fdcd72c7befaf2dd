/**
 * The most memory a process has had resident. Linux keeps it itself; elsewhere it is the largest of what was seen when looking
 * now and then, which may miss a short peak. Knows nothing of what the process does.
 */
import { readFile } from 'node:fs/promises';
import { residentBytes } from '../../src-main/engine/providers/hardware.ts';

const lookEveryMs = 250;

export interface PeakMemory {
  /** Bytes; ask while the process is alive. */
  peakBytes(): Promise<number>;
  close(): void;
}

export function watchPeakMemory(pid: number): PeakMemory {
  let largest = 0;
  const look = async (): Promise<void> => {
    largest = Math.max(largest, (await residentBytes([pid])).get(pid) ?? 0);
  };
  const timer = process.platform === 'linux' ? undefined : setInterval(() => void look(), lookEveryMs);
  return {
    async peakBytes() {
      if (process.platform === 'linux') {
        const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
        if (kibibytes === undefined) throw new Error(`/proc/${pid}/status has no VmHWM`);
        return Number(kibibytes) * 1024;
      }
      await look();
      return largest;
    },
    close: () => clearInterval(timer),
  };
}
