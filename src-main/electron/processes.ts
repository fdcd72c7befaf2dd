/**
 * The real processes and ports behind `node-supervisor.ts`: Electron's utilityProcess and MessageChannelMain. Nothing here
 * decides anything.
 */
import { MessageChannelMain, utilityProcess } from 'electron';
import type { MessagePortMain } from 'electron';
import { fileURLToPath } from 'node:url';
import type { ForkedProcess } from './compute-broker.ts';

function fork(script: string, serviceName: string): ForkedProcess<MessagePortMain> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return utilityProcess.fork(path, [], { serviceName, stdio: 'inherit' });
}

export const forkNode = () => fork('./node-process.js', 'Waggle node');
export const forkCompute = () => fork('./compute-process.js', 'Waggle compute');

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
