/**
 * Everything the shell's main process and the node process say to each other beside the API itself. Types and the two
 * parsers; no behaviour. Ports travel beside a message, never in it.
 *
 * A utility process cannot fork another one, and with the runAsNode fuse off Electron cannot run a script as plain Node:
 * so the node asks main for its worker processes, and main hands each side one end of a fresh message channel.
 */
import { z } from 'zod';

/** Processes that main forks for the node: the one that computes, and the throw-away ones that try a provider. */
const workerKinds = ['compute', 'trial'] as const;
export type WorkerKind = (typeof workerKinds)[number];

/** main -> node */
export type ShellToNode =
  | { kind: 'start'; args: string[]; appRoot: string } // + port: the API
  | { kind: 'workerPort'; id: number } // + port: to the worker
  | { kind: 'workerSpawned'; id: number; pid: number }
  | { kind: 'workerExited'; id: number; code: number | null }
  | { kind: 'power'; event: PowerEvent }
  | { kind: 'stop' };

export type PowerEvent = 'suspend' | 'resume';

const shellToNode = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('start'), args: z.array(z.string()), appRoot: z.string() }),
  z.object({ kind: z.literal('workerPort'), id: z.int() }),
  z.object({ kind: z.literal('workerSpawned'), id: z.int(), pid: z.int() }),
  z.object({ kind: z.literal('workerExited'), id: z.int(), code: z.int().nullable() }),
  z.object({ kind: z.literal('power'), event: z.enum(['suspend', 'resume']) }),
  z.object({ kind: z.literal('stop') }),
]);

/** node -> main */
export type NodeToShell =
  | { kind: 'ready' }
  | { kind: 'fault'; fault: { code: string; message: string; fix: string } }
  | { kind: 'spawnWorker'; id: number; worker: WorkerKind }
  | { kind: 'killWorker'; id: number };

const nodeToShell = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('fault'), fault: z.object({ code: z.string(), message: z.string(), fix: z.string() }) }),
  z.object({ kind: z.literal('spawnWorker'), id: z.int(), worker: z.enum(workerKinds) }),
  z.object({ kind: z.literal('killWorker'), id: z.int() }),
]);

/** The message, or null when it is none of ours. */
export function parseShellToNode(raw: unknown): ShellToNode | null {
  return shellToNode.safeParse(raw).data ?? null;
}

/** The message, or null when it is none of ours. */
export function parseNodeToShell(raw: unknown): NodeToShell | null {
  return nodeToShell.safeParse(raw).data ?? null;
}
