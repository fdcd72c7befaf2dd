/**
 * Puts a node on its port: a fresh token, the server, and `runtime.json` so that the CLI finds it. What the headless node and
 * the desktop app's node process both call. Knows nothing of the engine behind the API.
 *
 * Invariant: the runtime file exists only while the port is open; close() is idempotent and takes both back.
 */
import { randomBytes } from 'node:crypto';
import type { NodeApi } from '../api.ts';
import { removeRuntimeFile, writeRuntimeFile } from './runtime-file.ts';
import { serveApi } from './serve-api.ts';

export interface ServeNodeOptions {
  api: NodeApi;
  /** Exists and is locked by this process. */
  dataDirectory: string;
  rendererDirectory: string;
  /** 0 takes any free port. */
  port: number;
  /** Told the new token before anything else happens, for the log to redact. */
  onToken?: (token: string) => void;
  reportError?: (message: string, error: unknown) => void;
}

export interface ServedNode {
  /** Address for a browser, with the token. */
  url: string;
  port: number;
  close(): Promise<void>;
}

/** Throws what `serveApi` and writing a file throw; nothing is left open then. */
export async function serveNode(options: ServeNodeOptions): Promise<ServedNode> {
  const { api, dataDirectory, rendererDirectory, reportError } = options;
  const token = randomBytes(24).toString('base64url');
  options.onToken?.(token);
  const served = await serveApi({
    api,
    rendererDirectory,
    port: options.port,
    token,
    ...(reportError && { reportError }),
  });
  try {
    const { port, url } = served;
    await writeRuntimeFile(dataDirectory, { pid: process.pid, port, token, url, startedAt: Date.now() });
  } catch (error) {
    await served.close();
    throw error;
  }
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    await removeRuntimeFile(dataDirectory, process.pid);
    await served.close();
  };
  return { url: served.url, port: served.port, close: () => (closing ??= close()) };
}
