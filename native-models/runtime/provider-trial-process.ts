/**
 * Entry of the throw-away process that tries one provider: told which one by a message, answers with numbers, then times.
 * A driver may crash it or block it for ever; the parent expects both.
 */
import { cpus } from 'node:os';
import { bundledProviders } from './ort-session.ts';
import { isTrialRequest, type TrialReport } from './provider-trial-protocol.ts';
import { trialNumbers, trialTimes } from './provider-trial-work.ts';

const ALL_CORES = 0;

interface Port {
  on(event: 'message', listener: (event: { data: unknown }) => void): unknown;
  postMessage(message: unknown): void;
}
/** Set in Electron's utility processes only. */
const port = (process as unknown as { parentPort?: Port }).parentPort;

function report(message: TrialReport): void {
  if (port) port.postMessage(message);
  else process.send?.(message);
}

async function run(message: unknown): Promise<void> {
  if (!isTrialRequest(message)) return;
  const { provider } = message;
  try {
    const bundled = bundledProviders();
    const adapter = provider === 'cpu' ? (cpus()[0]?.model.trim() ?? null) : null;
    report({ kind: 'numbers', bundled, adapter, numbers: await trialNumbers(provider, ALL_CORES) });
    report({ kind: 'times', ...(await trialTimes(provider, ALL_CORES)) });
  } catch (error) {
    report({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  }
}

if (port) port.on('message', ({ data }) => void run(data));
else process.on('message', (message) => void run(message));
