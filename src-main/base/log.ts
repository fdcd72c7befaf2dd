/**
 * What the node says, for people: the latest rows in memory, listeners, and a rotating file of bounded size.
 * Anything may be logged, peers' text included: terminal and bidi controls are escaped, secrets are redacted, a flood from one
 * source is cut. Logging never throws and never stops the node: a file that cannot be written is given up until later.
 */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from './errors.ts';
import { escapedLine } from './sanitise-text.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Same shape as in engine/api.ts, which this folder must not import. */
export interface LogRow {
  at: number;
  level: LogLevel;
  source: string;
  message: string;
}

/** What a part of the node gets to speak with. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  /** The text of `cause` is appended. */
  error(message: string, cause?: unknown): void;
}

export interface Log {
  /** `source` is the part that speaks: engine, compute, swarm, store, api. */
  for(source: string): Logger;
  /** Oldest first, the latest `limit` rows of at least `level`. */
  rows(query: { limit: number; level: LogLevel }): LogRow[];
  /** Returns the function that ends the subscription. */
  subscribe(listener: (row: LogRow) => void): () => void;
  /** From now on this text is written as [redacted]. */
  addSecret(secret: string): void;
  setLevel(level: LogLevel): void;
  close(): void;
}

export interface LogOptions {
  /** Folder of the file; null keeps rows in memory only. */
  directory: string | null;
  level?: LogLevel;
  secrets?: readonly string[];
  maxFileBytes?: number;
  /** Files kept, the current one included. */
  maxFiles?: number;
  maxRows?: number;
  maxRowsPerSecond?: number;
  now?: () => number;
}

export const logFileName = 'waggle.log';
const maxMessageLength = 2000;

export function createLog(options: LogOptions): Log {
  const now = options.now ?? Date.now;
  const maxRows = options.maxRows ?? 2000;
  const file =
    options.directory === null
      ? null
      : createRotatingFile(options.directory, options.maxFileBytes ?? 4 * 1024 * 1024, options.maxFiles ?? 3, now);
  const limiter = createFloodLimit(options.maxRowsPerSecond ?? 50);
  const listeners = new Set<(row: LogRow) => void>();
  const secrets = new Set<string>();
  let threshold = logLevels.indexOf(options.level ?? 'info');
  let rows: LogRow[] = [];

  const addSecret = (secret: string) => {
    if (secret.length >= 4)
      for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) secrets.add(form);
  };
  for (const secret of options.secrets ?? []) addSecret(secret);

  const keep = (row: LogRow) => {
    rows.push(row);
    if (rows.length > maxRows * 2) rows = rows.slice(-maxRows);
    file?.write(formatLogRow(row));
    for (const listener of [...listeners]) {
      try {
        listener(row);
      } catch {
        // A listener's trouble is its own: logging about it would come back here.
      }
    }
  };
  const write = (source: string, level: LogLevel, message: string) => {
    if (logLevels.indexOf(level) < threshold) return;
    const at = now();
    const verdict = limiter.admit(source, at);
    if (verdict.skipped > 0)
      keep({ at, level: 'warn', source, message: `${verdict.skipped} rows left out: too many in one second` });
    if (verdict.admitted)
      keep({
        at,
        level,
        source: escapedLine(source, 40),
        message: escapedLine(redact(message, secrets), maxMessageLength),
      });
  };
  return {
    for: (source) => ({
      debug: (message) => write(source, 'debug', message),
      info: (message) => write(source, 'info', message),
      warn: (message) => write(source, 'warn', message),
      error: (message, cause) =>
        write(source, 'error', cause === undefined ? message : `${message}: ${describeError(cause)}`),
    }),
    rows: ({ limit, level }) => {
      const wanted = rows.slice(-maxRows).filter((row) => logLevels.indexOf(row.level) >= logLevels.indexOf(level));
      return limit <= 0 ? [] : wanted.slice(-limit);
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    addSecret,
    setLevel: (level) => void (threshold = logLevels.indexOf(level)),
    close: () => {
      listeners.clear();
      file?.close();
    },
  };
}

/** One line of the file and of the terminal. */
export function formatLogRow(row: LogRow): string {
  return `${new Date(row.at).toISOString()} ${row.level.padEnd(5)} ${row.source.padEnd(7)} ${row.message}`;
}

const rowPattern = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (debug|info|warn|error) +(\S+) +(.*)$/;

/** A line of the file as the row it was; null for anything else, such as a line that a crash cut short. */
export function parseLogRow(line: string): LogRow | null {
  const [, time, level, source, message] = rowPattern.exec(line) ?? [];
  const at = Date.parse(time ?? '');
  if (Number.isNaN(at)) return null;
  return { at, level: level as LogLevel, source: source!, message: message! };
}

function redact(message: string, secrets: ReadonlySet<string>): string {
  let clean = message;
  for (const secret of secrets) clean = clean.replaceAll(secret, '[redacted]');
  return clean.replace(/\b(bearer\s+|token=)[\w.~+/=-]{8,}/gi, '$1[redacted]');
}

/** Per source and second; sources are few and ours, so the map is small. */
function createFloodLimit(maxPerSecond: number) {
  const windows = new Map<string, { second: number; count: number }>();
  return {
    admit(source: string, at: number): { admitted: boolean; skipped: number } {
      const second = Math.floor(at / 1000);
      const window = windows.get(source);
      if (window?.second === second) return { admitted: ++window.count <= maxPerSecond, skipped: 0 };
      windows.set(source, { second, count: 1 });
      return { admitted: true, skipped: Math.max(0, (window?.count ?? 0) - maxPerSecond) };
    },
  };
}

/** `waggle.log`, then `waggle.log.1` and so on, oldest last. */
function createRotatingFile(directory: string, maxBytes: number, maxFiles: number, now: () => number) {
  const path = join(directory, logFileName);
  const retryMs = 60_000;
  let handle: number | null = null;
  let bytes = 0;
  let closed = false;
  let retryAt = 0;

  const release = () => {
    const held = handle;
    handle = null;
    if (held !== null) closeSync(held);
  };
  const rotate = () => {
    release();
    for (let index = maxFiles - 1; index >= 1; index--) {
      const from = index === 1 ? path : `${path}.${index - 1}`;
      try {
        renameSync(from, `${path}.${index}`);
      } catch {
        // Not there yet.
      }
    }
    if (maxFiles <= 1) rmSync(path, { force: true });
  };
  const reach = () => {
    if (handle !== null) return handle;
    mkdirSync(directory, { recursive: true });
    handle = openSync(path, 'a', 0o600);
    bytes = fstatSync(handle).size;
    return handle;
  };
  return {
    write(line: string) {
      if (closed || now() < retryAt) return;
      try {
        const chunk = Buffer.from(`${line}\n`);
        reach();
        if (bytes > 0 && bytes + chunk.length > maxBytes) rotate();
        bytes += writeSync(reach(), chunk);
      } catch {
        retryAt = now() + retryMs;
      }
    },
    close() {
      closed = true;
      release();
    },
  };
}
