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

/** What only main can do for the node (shell-questions.ts). `sealed` is base64. */
export type ShellQuestion =
  | { name: 'keyring' }
  | { name: 'seal'; text: string }
  | { name: 'open'; sealed: string }
  | { name: 'confirm'; act: 'showWords' | 'restoreIdentity' };

export type ShellAnswer =
  { ok: true; value: string | boolean | null | { text: string; stale: boolean } } | { ok: false; message: string };

/** An identity is some hundred characters; a question is bounded well above. */
const secretText = z.string().max(16_384);
const shellQuestion = z.discriminatedUnion('name', [
  z.object({ name: z.literal('keyring') }),
  z.object({ name: z.literal('seal'), text: secretText }),
  z.object({ name: z.literal('open'), sealed: secretText }),
  z.object({ name: z.literal('confirm'), act: z.enum(['showWords', 'restoreIdentity']) }),
]);
const shellAnswer = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    value: z.union([secretText, z.boolean(), z.null(), z.object({ text: secretText, stale: z.boolean() })]),
  }),
  z.object({ ok: z.literal(false), message: z.string() }),
]);

/** main -> node */
export type ShellToNode =
  | { kind: 'start'; args: string[]; appRoot: string } // + port: the API
  | { kind: 'workerPort'; id: number } // + port: to the worker
  | { kind: 'workerSpawned'; id: number; pid: number }
  | { kind: 'workerExited'; id: number; code: number | null }
  | { kind: 'power'; event: PowerEvent }
  | { kind: 'answer'; id: number; answer: ShellAnswer }
  | { kind: 'stop' };

export type PowerEvent = 'suspend' | 'resume';

const shellToNode = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('start'), args: z.array(z.string()), appRoot: z.string() }),
  z.object({ kind: z.literal('workerPort'), id: z.int() }),
  z.object({ kind: z.literal('workerSpawned'), id: z.int(), pid: z.int() }),
  z.object({ kind: z.literal('workerExited'), id: z.int(), code: z.int().nullable() }),
  z.object({ kind: z.literal('power'), event: z.enum(['suspend', 'resume']) }),
  z.object({ kind: z.literal('answer'), id: z.int(), answer: shellAnswer }),
  z.object({ kind: z.literal('stop') }),
]);

/** node -> main */
export type NodeToShell =
  | { kind: 'ready' }
  | { kind: 'fault'; fault: { code: string; message: string; fix: string } }
  /** Settled by an `answer`. */
  | { kind: 'ask'; id: number; question: ShellQuestion }
  /** It ends by itself now, and wants to be started again. */
  | { kind: 'restart' }
  | { kind: 'spawnWorker'; id: number; worker: WorkerKind }
  | { kind: 'killWorker'; id: number };

const nodeToShell = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('fault'), fault: z.object({ code: z.string(), message: z.string(), fix: z.string() }) }),
  z.object({ kind: z.literal('ask'), id: z.int(), question: shellQuestion }),
  z.object({ kind: z.literal('restart') }),
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
