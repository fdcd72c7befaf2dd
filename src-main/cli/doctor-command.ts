/**
 * `doctor`: what this machine can train with. Asks the running node for what it found; without one it takes what is kept in the
 * data folder, or runs the provider trial itself. With --again nothing that is known counts.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { HardwareReport, PolicyInfo, ProviderVerdict } from '../engine/api.ts';
import { dataDirectoryOf, findNodeIfAny, type NodePlace } from './find-node.ts';
import { formatBytes } from './quantities.ts';
import { renderPrecision } from './status-view.ts';
import { alignPairs, alignTable, harmless, paint, type Colour, type Terminal } from './terminal.ts';

export interface DoctorReport {
  /** A running node's, those kept in the data folder, or made just now. */
  from: 'node' | 'kept' | 'trial';
  verdicts: readonly ProviderVerdict[];
  hardware: HardwareReport;
  /** Of the policy that a running node has opened. */
  precision?: Pick<PolicyInfo, 'decode' | 'training'> | null;
}

const verdictColours: Readonly<Record<ProviderVerdict['verdict'], Colour>> = {
  used: 'green',
  correct: 'green',
  wrong: 'red',
  failed: 'red',
  unstable: 'red',
  unavailable: 'dim',
};

export interface DoctorOptions extends NodePlace {
  json?: boolean;
  again?: boolean;
}

const POLL_MS = 500;
const TRYING = 'Trying each provider with a small training step...';

export async function showDoctor(options: DoctorOptions, terminal: Terminal, env: NodeJS.ProcessEnv): Promise<void> {
  const say = (text: string): void => (options.json === true ? undefined : terminal.complain(text));
  const asked = await askNode(options, env, say);
  // A node whose provider was chosen in its settings has tried none.
  const report =
    asked && asked.verdicts.length > 0
      ? asked
      : { ...(await tryHere(options, env, say)), precision: asked?.precision ?? null };
  terminal.print(options.json === true ? JSON.stringify(report, null, 2) : renderDoctor(terminal, report));
}

/** Null where no node answers, whatever keeps it from that. */
async function askNode(
  options: DoctorOptions,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<DoctorReport | null> {
  const found = await findNodeIfAny(options, env, () => true);
  if (found === null) return null;
  try {
    const { node } = found;
    if (options.again === true) {
      say(TRYING);
      await node.invoke('tryProviders', null);
    }
    let hardware = await node.invoke('hardware', null);
    while (options.again === true && hardware.trying) {
      await wait(POLL_MS);
      hardware = await node.invoke('hardware', null);
    }
    const { policy } = await node.invoke('status', null);
    const precision = policy && { decode: policy.decode, training: policy.training };
    return { from: options.again === true ? 'trial' : 'node', verdicts: hardware.verdicts, hardware, precision };
  } finally {
    await found.node.close();
  }
}

/** With what the data folder keeps, which a node started there will find. */
async function tryHere(
  options: DoctorOptions,
  env: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<DoctorReport> {
  const { ProviderChoice } = await import('../engine/providers/provider-choice.ts');
  const { readHardware } = await import('../engine/providers/hardware.ts');
  const { triedMachine } = await import('../engine/providers/tried-machine.ts');
  const { dataFolderPaths } = await import('../engine/data-folder.ts');
  const machine = await readHardware();
  const choice = new ProviderChoice({
    wanted: 'auto',
    path: dataFolderPaths(dataDirectoryOf(options, env)).hardware,
    machine: () => triedMachine(machine),
    // Not kept where there is no data folder yet: doctor makes none.
    log: { info: () => say(TRYING), warn: () => undefined },
  });
  const kept = options.again === true ? [] : await choice.recall();
  const verdicts = kept.length > 0 ? kept : await choice.again();
  const hardware = { ...machine, verdicts: [...verdicts], trying: false };
  return { from: kept.length > 0 ? 'kept' : 'trial', verdicts, hardware };
}

export function renderDoctor(terminal: Terminal, report: DoctorReport): string {
  const rows = report.verdicts.map((row) => [
    row.device === 0 ? row.provider : `${row.provider} #${row.device}`,
    paint(terminal, verdictColours[row.verdict], row.verdict.padEnd(11)),
    milliseconds(row.trainStepMs),
    milliseconds(row.decodeStepMs),
    // The CPU is what the others are compared with.
    row.maxRelativeError === null || row.provider === 'cpu' ? '-' : row.maxRelativeError.toExponential(1),
    row.peakBytes === null ? '-' : formatBytes(row.peakBytes),
    harmless([row.adapter, row.detail].filter((part) => part !== null && part !== '').join(': ')),
  ]);
  const headings = ['provider', 'verdict', 'train step', 'decode step', 'error', 'memory', 'detail'];
  const usable = report.verdicts.some(({ verdict }) => verdict === 'used' || verdict === 'correct');
  return [
    renderHardware(terminal, report.hardware),
    '',
    alignTable(terminal, headings, rows),
    ...triedAt(report),
    ...(report.precision ? ['', alignPairs(terminal, renderPrecision(report.precision))] : []),
    ...(usable ? [] : ['', 'No provider computes correctly here: reinstall with npm ci, and report this if it stays.']),
  ].join('\n');
}

function renderHardware(terminal: Terminal, { cpu, memory, gpus, os, unknown }: HardwareReport): string {
  const gpuText = gpus.map(({ name, vramBytes, driver }) =>
    harmless(
      [name, vramBytes === null ? null : formatBytes(vramBytes), driver === null ? null : `driver ${driver}`]
        .filter((part) => part !== null)
        .join(', '),
    ),
  );
  return alignPairs(terminal, [
    ['system', harmless(`${os.platform} ${os.release} ${os.arch}`)],
    ['processor', harmless(`${cpu.model}, ${cpu.cores} cores, ${cpu.threads} threads`)],
    ['memory', `${formatBytes(memory.totalBytes)}, ${formatBytes(memory.freeBytes)} free`],
    ['graphics', gpuText.length === 0 ? 'none found' : gpuText.join('; ')],
    ...(unknown.length === 0 ? [] : [['unknown', harmless(unknown.join('; '))] as const]),
  ]);
}

/** How old the verdicts are, where they are not of just now. */
function triedAt({ from, verdicts }: DoctorReport): string[] {
  const testedAt = Math.min(...verdicts.map((row) => row.testedAt));
  if (from === 'trial' || !Number.isFinite(testedAt)) return [];
  const day = new Date(testedAt).toISOString().slice(0, 16).replace('T', ' ');
  return ['', `Tried on ${day} UTC; it holds until drivers or Waggle change. To try all again: waggle doctor --again`];
}

function milliseconds(durationMs: number | null): string {
  return durationMs === null ? '-' : `${durationMs.toFixed(durationMs < 10 ? 1 : 0)} ms`;
}
