/**
 * A full garbage collection now and then. V8 makes one when its own heap has grown. A node's hardly grows, while the buffers that its
 * connections were received in pile up outside it: some 5 MB, for minutes, where a collection of ten milliseconds frees them.
 * Knows nothing of what is collected.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8 comes to one by itself as often in a busy node. Once a minute cost a tenth of what a quiet node takes, and saved no memory. */
export const COLLECT_EVERY_MS = 4 * 60_000;

/** Until the returned function is called. Does not keep the process alive. */
export function collectGarbageEvery(everyMs: number): () => void {
  const timer = setInterval(collector(), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** V8's `gc` is a global of contexts made after the flag was set. Electron lets flags be set late as Node does; where none is had, nothing is done. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('globalThis.gc');
  return typeof gc === 'function' ? (gc as () => void) : () => undefined;
}
