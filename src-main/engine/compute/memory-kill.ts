/**
 * Whether a process ended because memory ran out although it never said so: killed by the kernel, or given up by its own runtime.
 * Linux counts what it kills for want of memory, and only a risen count makes a kill such a one; elsewhere a kill that nobody here
 * asked for is taken for it. Knows nothing of what the process did.
 */
import { readFileSync } from 'node:fs';
import type { ComputeExit } from '../../../native-models/runtime/compute-host.ts';

/** V8 and the C++ library abort where they get no memory. Node's exit code for it on systems without signals is 134. */
const ABORTED = { signal: 'SIGABRT', code: 134 };
/** STATUS_NO_MEMORY and STATUS_COMMITMENT_LIMIT of Windows. */
const WINDOWS_CODES: readonly (number | null)[] = [0xc0000017, 0xc000012d];

export class MemoryKill {
  private readonly path: string;
  private counted: number | null;

  /** @param path for tests */
  constructor(path = '/proc/vmstat') {
    this.path = path;
    this.counted = this.kills();
  }

  /** Called once an exit; each kill of the kernel is taken for one process only. */
  explains({ code, signal, hung }: ComputeExit): boolean {
    if (hung) return false;
    if (signal === ABORTED.signal || code === ABORTED.code || WINDOWS_CODES.includes(code)) return true;
    if (signal !== 'SIGKILL') return false;
    const before = this.counted;
    this.counted = this.kills();
    return this.counted === null || before === null || this.counted > before;
  }

  /** Null where the system does not count. */
  private kills(): number | null {
    try {
      const line = /^oom_kill (\d+)$/m.exec(readFileSync(this.path, 'utf8'))?.[1];
      return line === undefined ? null : Number(line);
    } catch {
      return null;
    }
  }
}
