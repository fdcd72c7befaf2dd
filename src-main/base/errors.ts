/**
 * The one error class that this project throws on purpose. A broken environment (disk, port, driver, file) or a bug is an
 * exception with a stable code, the offending values and the fix; hostile input from a peer is never one (it is a result).
 * Knows nothing of who shows it: the API, the CLI and the log all read the same three texts.
 */
import type { JsonValue } from '../types.ts';

export interface WaggleErrorInit {
  /** Stable camelCase name that tests, the CLI and the UI may rely on, for example `diskFull`. */
  code: string;
  /** What happened, one sentence with the offending values in it. */
  message: string;
  /** What the person can do about it, one sentence. */
  fix: string;
  values?: Readonly<Record<string, JsonValue>>;
  cause?: unknown;
}

export class WaggleError extends Error {
  readonly code: string;
  readonly fix: string;
  readonly values: Readonly<Record<string, JsonValue>>;

  constructor(init: WaggleErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = new.target.name;
    this.code = init.code;
    this.fix = init.fix;
    this.values = init.values ?? {};
  }
}

/** Same shape as `ApiFault` of engine/api.ts, which this folder must not import. */
export interface Fault {
  code: string;
  message: string;
  fix: string;
}

/** Any thrown value as data for a client. Stacks and causes stay behind. */
export function toApiFault(error: unknown): Fault {
  if (error instanceof WaggleError) return { code: error.code, message: error.message, fix: error.fix };
  return {
    code: 'internal',
    message: describeError(error),
    fix: 'This is a bug in Waggle: export the log and report it with what you did just before.',
  };
}

/**
 * The same for errors of native-models, which carry code and fix without sharing our class; some end their message with the fix, too.
 */
export function asFault(error: unknown): Fault {
  const { code, message, fix } = (error ?? {}) as Partial<Fault>;
  if (typeof code !== 'string' || typeof message !== 'string' || typeof fix !== 'string') return toApiFault(error);
  return { code, message: message.endsWith(fix) ? message.slice(0, -fix.length).trimEnd() : message, fix };
}

/** One line of text for any thrown value; never throws itself. */
export function describeError(error: unknown): string {
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  if (typeof error === 'string') return error;
  try {
    return toJson(error) ?? 'unknown error';
  } catch {
    return 'unknown error';
  }
}

/** JSON.stringify by its true type: functions, symbols and undefined have no JSON. */
export const toJson: (value: unknown) => string | undefined = JSON.stringify;

/** `ENOSPC`, `EADDRINUSE` and so on of a system error; undefined for anything else. */
export function errnoCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
