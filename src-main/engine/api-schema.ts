/**
 * The door of the API: one schema for the arguments of every call, as one table keyed by call name, so that a call without
 * a row does not compile. Both servers (WebSocket and Electron IPC) parse every message here before the engine sees it.
 * Knows nothing of transports or of what a call does.
 *
 * Invariant: whatever passes is plain JSON of bounded length, depth and size; numbers are finite and in range.
 */
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../types.ts';
import type { CallName, Calls, EventName } from './api.ts';

export const apiLimits = {
  maxRows: 2000,
  maxNameChars: 64,
  maxAnswerChars: 8192,
  /** Python seeds are unbounded; this many digits is plenty and keeps big-integer arithmetic cheap. */
  maxSeedDigits: 40,
  maxJsonDepth: 6,
  maxJsonNodes: 500,
  maxJsonChars: 4096,
  /** An invite link has at most half of it; the rest is white space around it. */
  maxLinkChars: 2048,
} as const;

const noArgs = z.null();
const rowLimit = z.int().min(1).max(apiLimits.maxRows);
const counter = z.int().min(0);
const boardWindow = z.enum(['day', 'week', 'all']);
const profileNames = z.strictObject({ displayName: z.string().max(200), team: z.string().max(200) });
const swarmId = z.string().regex(/^[0-9a-f]{64}$/, 'must be the id of a swarm');
const inviteLink = z.string().min(1).max(apiLimits.maxLinkChars);
const modelId = z.string().min(1).max(200);
const folderPath = z.string().min(1).max(4096);
const jsonObject = z.custom<JsonObject>(isBoundedJsonObject, {
  error: `must be a JSON object of at most ${apiLimits.maxJsonNodes} values, ${apiLimits.maxJsonDepth} levels deep`,
});

/** Schema of each call's arguments. */
export const callSchemas: { readonly [K in CallName]: z.ZodType<Calls[K]['args']> } = {
  status: noArgs,
  hardware: noArgs,
  tryProviders: noArgs,
  config: noArgs,
  metrics: noArgs,
  rounds: z.strictObject({ sinceRound: counter, limit: rowLimit }),
  rollouts: z.strictObject({
    limit: rowLimit,
    beforeId: counter.nullable(),
    origin: z.enum(['all', 'own', 'peers']),
  }),
  leaderboard: noArgs,
  peers: noArgs,
  board: z.strictObject({ window: boardWindow }),
  receipts: z.strictObject({ peer: z.string().regex(/^[0-9a-f]{64}$/, 'must be a public key'), limit: rowLimit }),
  ownScore: z.strictObject({ window: boardWindow }),
  log: z.strictObject({ limit: rowLimit, level: z.enum(['debug', 'info', 'warn', 'error']) }),
  swarms: noArgs,
  readInvite: z.strictObject({ link: inviteLink }),
  joinSwarm: z.strictObject({ link: inviteLink }),
  createSwarm: z.strictObject({
    name: z.string().min(1).max(256),
    taskSet: z.string().min(1).max(apiLimits.maxNameChars),
    private: z.boolean(),
    shardCount: z.int().min(1).max(65_535),
    maxRoundAge: z.int().min(1).max(65_535),
  }),
  chooseSwarm: z.strictObject({ id: swarmId.nullable() }),
  leaveSwarm: z.strictObject({ id: swarmId }),
  swarmInvite: z.strictObject({ id: swarmId }),
  identity: noArgs,
  previewProfile: profileNames,
  setProfile: profileNames,
  backupWords: noArgs,
  restoreIdentity: z.strictObject({ words: z.string().min(1).max(1024), anotherDevice: z.boolean() }),
  tasks: noArgs,
  task: z.strictObject({
    generator: z
      .string()
      .min(1)
      .max(apiLimits.maxNameChars)
      .regex(/^[a-z0-9_]+$/, 'must be lower-case letters, digits and underscores'),
    config: jsonObject,
    seed: z.string().regex(new RegExp(`^-?\\d{1,${apiLimits.maxSeedDigits}}$`), 'must be a decimal integer as text'),
    index: counter,
    answer: z.string().max(apiLimits.maxAnswerChars).exactOptional(),
  }),
  practice: noArgs,
  demonstrations: z.strictObject({ limit: rowLimit }),
  exams: z.strictObject({ limit: rowLimit }),
  benefit: noArgs,
  models: noArgs,
  downloadModel: z.strictObject({ id: modelId }),
  cancelDownload: z.strictObject({ id: modelId }),
  deleteModel: z.strictObject({ id: modelId }),
  addModelFolder: z.strictObject({ directory: folderPath }),
  forgetModelFolder: z.strictObject({ directory: folderPath }),
  useModel: z.strictObject({ key: folderPath }),
  pause: noArgs,
  resume: noArgs,
  finish: noArgs,
  quit: noArgs,
};

/** Calls that only the app's own window may make: whoever is at the other end of a socket cannot be asked back. */
export const windowOnlyCalls: readonly CallName[] = ['backupWords', 'restoreIdentity'];

/**
 * How each event is delivered to a reader that cannot keep up: `latest` may be replaced by a newer one of its kind,
 * `every` is never left out (the connection is closed instead, once too much is waiting).
 */
export const eventDelivery: { readonly [K in EventName]: 'latest' | 'every' } = {
  status: 'latest',
  progress: 'latest',
  leaderboard: 'latest',
  models: 'latest',
  policyChanged: 'latest',
  benefit: 'latest',
  round: 'every',
  exam: 'every',
  rollouts: 'every',
  log: 'every',
};

export function isCallName(name: unknown): name is CallName {
  return typeof name === 'string' && Object.hasOwn(callSchemas, name);
}

export function isEventName(name: unknown): name is EventName {
  return typeof name === 'string' && Object.hasOwn(eventDelivery, name);
}

export type ParsedArgs<K extends CallName> = { ok: true; args: Calls[K]['args'] } | { ok: false; reason: string };

/** Checks untrusted arguments of a known call; missing arguments count as null. */
export function parseCallArgs<K extends CallName>(call: K, args: unknown): ParsedArgs<K> {
  const parsed = callSchemas[call].safeParse(args ?? null);
  if (parsed.success) return { ok: true, args: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? 'arguments' : issue.path.join('.');
  return { ok: false, reason: `${where}: ${(issue?.message ?? 'not valid').slice(0, 200)}` };
}

function isBoundedJsonObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return countJsonNodes(value as JsonObject, 0) <= apiLimits.maxJsonNodes;
}

/** Number of values in the tree; Infinity for anything too deep, too long or not JSON. Stops early on wide trees. */
function countJsonNodes(value: JsonValue | undefined, depth: number): number {
  if (depth > apiLimits.maxJsonDepth) return Infinity;
  if (value === null || typeof value === 'boolean') return 1;
  if (typeof value === 'number') return Number.isFinite(value) ? 1 : Infinity;
  if (typeof value === 'string') return value.length <= apiLimits.maxJsonChars ? 1 : Infinity;
  if (typeof value !== 'object') return Infinity;
  let nodes = 1;
  for (const [key, child] of Object.entries(value)) {
    if (key === '__proto__' || key.length > apiLimits.maxNameChars) return Infinity;
    nodes += countJsonNodes(child, depth + 1);
    if (nodes > apiLimits.maxJsonNodes) return Infinity;
  }
  return nodes;
}
