/**
 * The real processes and ports behind `node-supervisor.ts`: Electron's utilityProcess and MessageChannelMain. Nothing here
 * decides anything.
 */
import { MessageChannelMain, utilityProcess } from 'electron';
import type { MessagePortMain } from 'electron';
import { fileURLToPath } from 'node:url';
import type { ForkedProcess } from './process-broker.ts';
import type { WorkerKind } from './shell-messages.ts';

function fork(script: string, serviceName: string, stdio: 'inherit' | 'ignore'): ForkedProcess<MessagePortMain> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return utilityProcess.fork(path, [], { serviceName, stdio });
}

const workers: Readonly<Record<WorkerKind, () => ForkedProcess<MessagePortMain>>> = {
  compute: () => fork('./compute-process.js', 'Waggle compute', 'inherit'),
  // A provider that is not there fails with pages of library messages; the verdict says what matters.
  trial: () => fork('./trial-process.js', 'Waggle provider trial', 'ignore'),
};

export const forkNode = () => fork('./node-process.js', 'Waggle node', 'inherit');
export const forkWorker = (worker: WorkerKind) => workers[worker]();

export function createChannel(): { port1: MessagePortMain; port2: MessagePortMain } {
  return new MessageChannelMain();
}

/** The operating system's hard stop; a process that is gone already is fine. */
export function forceKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended between the decision and the signal.
  }
}
