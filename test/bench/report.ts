/** Figures as a table for people and as JSON for programs. Pure: knows no clock and no process. */
import { alignPairs, alignTable } from '../../src-main/cli/terminal.ts';
import type { ComputeFigures, ComputeWork } from './compute-bench.ts';
import type { Machine } from './machine.ts';
import type { RoundFigures } from './round-bench.ts';
import type { Sample } from './sample.ts';
import type { TaskFigures } from './task-bench.ts';

export interface Figures {
  machine: Machine;
  compute: ComputeFigures;
  rounds: RoundFigures;
  tasks: TaskFigures;
}

interface Row {
  what: string;
  unit: string;
  sample: Sample;
  aim: string;
  /** Where it is one of the figures that are compared from version to version. */
  key?: string;
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
const once = (value: number): Sample => ({ median: value, min: value, max: value, repetitions: 1 });

function rowsOf({ compute, rounds }: Figures): Row[] {
  const peak = megabytes(Math.max(compute.peakBytes, rounds.peakBytes));
  return [
    {
      what: 'Training step, 64 rows of about 48 tokens',
      unit: 'tokens/s',
      sample: compute.trainTokensPerSecond,
      aim: '>= 10000',
      key: 'trainTokensPerSecond',
    },
    {
      what: 'Decoding, 64 rows',
      unit: 'tokens/s',
      sample: compute.decodeTokensPerSecond,
      aim: '>= 5000',
      key: 'decodeTokensPerSecond',
    },
    { what: 'Whole round, default settings', unit: 's', sample: rounds.roundSeconds, aim: '', key: 'roundSeconds' },
    { what: '  generation in it', unit: 'tokens/s', sample: rounds.generateTokensPerSecond, aim: '' },
    { what: '  training in it', unit: 'tokens/s', sample: rounds.trainTokensPerSecond, aim: '' },
    { what: '  answers, all in all', unit: '1/s', sample: rounds.rolloutsPerSecond, aim: '' },
    { what: 'Compute process, peak memory', unit: 'MB', sample: once(peak), aim: '< 600', key: 'peakMemoryMb' },
  ];
}

/** Three digits of what is small, whole numbers of what is large. */
function shown(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

const plain = { colours: false };

function table(title: string, rows: readonly Row[]): string {
  const cells = rows.map(({ what, unit, sample, aim }) => [
    what,
    shown(sample.median),
    unit,
    sample.repetitions === 1 ? '' : `${shown(sample.min)} to ${shown(sample.max)} (${sample.repetitions} times)`,
    aim,
  ]);
  return alignTable(plain, [title, 'median', 'unit', 'range', 'aim'], cells);
}

function machineLines(machine: Machine): string {
  return alignPairs(plain, [
    ['processor', `${machine.cpu}, ${machine.cores} cores, ${machine.platform}`],
    ['memory', `${machine.memoryMb} MB`],
    ['software', `Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}`],
    ['load before', machine.loadBefore === null ? 'unknown' : `${machine.loadBefore} (0 is an idle machine)`],
  ]);
}

export function renderTable(figures: Figures): string {
  return `${table('bundled policy on the CPU', rowsOf(figures))}\n\n${machineLines(figures.machine)}`;
}

/** One policy folder: decoding and a training step. */
export function renderFolder({
  machine,
  work,
  compute,
}: Pick<Figures, 'machine' | 'compute'> & { work: ComputeWork }): string {
  const { parameters, trainedParameters, decode } = compute;
  const of = (what: string, unit: string, sample: Sample): Row => ({ what, unit, sample, aim: '' });
  const rows = [
    of(`Training step, ${work.rows} rows of about ${work.rowTokens} tokens`, 'tokens/s', compute.trainTokensPerSecond),
    of(
      `Decoding, ${work.rows} rows of ${work.decodedTokens} tokens, ${decode}`,
      'tokens/s',
      compute.decodeTokensPerSecond,
    ),
    of('Compute process, peak memory', 'MB', once(megabytes(compute.peakBytes))),
  ];
  const trained = `${trainedParameters} of ${parameters} parameters trained`;
  return `${table(trained, rows)}\n\n${machineLines(machine)}`;
}

/** The compared figures flat ("policy.roundSeconds") and by path (policy.roundSeconds), then everything else. */
export function renderJson(figures: Figures): string {
  const rows = rowsOf(figures);
  const policy = Object.fromEntries(
    rows.flatMap(({ key, sample }) => (key === undefined ? [] : [[key, Number(sample.median.toPrecision(5))]])),
  );
  const flat = Object.fromEntries(Object.entries(policy).map(([key, value]) => [`policy.${key}`, value]));
  const measurements = rows.map(({ what, unit, sample }) => ({ what: what.trim(), unit, ...sample }));
  return JSON.stringify({ ...flat, policy, measurements, tasks: figures.tasks, machine: figures.machine }, null, 2);
}
