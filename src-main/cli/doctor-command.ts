/**
 * `doctor`: what this machine can train with. Asks the running node for what it found; without one it runs the provider
 * trial itself, which the caller hands in so that the rest of the CLI starts without loading it.
 */
import type { HardwareReport, ProviderVerdict } from '../engine/api.ts';
import { formatBytes } from './quantities.ts';
import { alignPairs, alignTable, harmless, paint, type Colour, type Terminal } from './terminal.ts';

export interface DoctorReport {
  /** Whether the verdicts are a running node's or were made just now. */
  from: 'node' | 'trial';
  verdicts: readonly ProviderVerdict[];
  hardware: HardwareReport;
}

const verdictColours: Readonly<Record<ProviderVerdict['verdict'], Colour>> = {
  used: 'green',
  correct: 'green',
  wrong: 'red',
  failed: 'red',
  unavailable: 'dim',
};

export function renderDoctor(terminal: Terminal, report: DoctorReport): string {
  const rows = report.verdicts.map((row) => [
    row.provider,
    paint(terminal, verdictColours[row.verdict], row.verdict.padEnd(11)),
    milliseconds(row.trainStepMs),
    milliseconds(row.decodeStepMs),
    // The CPU is what the others are compared with.
    row.maxRelativeError === null || row.provider === 'cpu' ? '-' : row.maxRelativeError.toExponential(1),
    harmless([row.adapter, row.detail].filter((part) => part !== null && part !== '').join(': ')),
  ]);
  const headings = ['provider', 'verdict', 'train step', 'decode step', 'error', 'detail'];
  const usable = report.verdicts.some(({ verdict }) => verdict === 'used' || verdict === 'correct');
  return [
    renderHardware(terminal, report.hardware),
    '',
    alignTable(terminal, headings, rows),
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

function milliseconds(durationMs: number | null): string {
  return durationMs === null ? '-' : `${durationMs.toFixed(durationMs < 10 ? 1 : 0)} ms`;
}
