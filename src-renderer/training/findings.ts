/**
 * What the experiments with the bundled policy found (test/experiments/), for the page: the files they wrote (results/), with what each
 * asks and says in words for people. Knows nothing of the node that the page belongs to.
 */
import bridge from './results/bridge.json' with { type: 'json' };
import foreign from './results/foreign-mix.json' with { type: 'json' };
import sapo from './results/sapo.json' with { type: 'json' };
import stale from './results/staleness.json' with { type: 'json' };

/** A line of `ui/Chart.svelte`. */
export interface FindingLine {
  label: string;
  values: number[];
  color: string;
  width: number;
  dash?: number[];
}
export interface Finding {
  name: string;
  label: string;
  question: string;
  answer: string;
  /** Either a chart or rows of a table. */
  chart?: { x: number[]; xLabel: string; yLabel: string; series: FindingLine[] };
  table?: { columns: readonly [string, string, string]; rows: [string, string, string][] };
}

const looks = {
  first: { color: '--series-own', width: 2.5 },
  second: { color: '--series-peers', width: 2.5 },
  other: { color: '--muted', width: 1.5, dash: [6, 4] },
};
/** The objectives that are compared, by their names in the results. */
const objectiveLines = (line: (subject: string) => number[]): FindingLine[] => [
  { label: 'GRPO', values: line('GRPO'), ...looks.first },
  { label: 'ASymPO', values: line('ASymPO'), ...looks.second },
  { label: 'Plain policy gradient', values: line('naive'), ...looks.other },
];
const share = (value: number): string => value.toFixed(2);

const sharing = (): Finding => {
  const of = (arm: string) => sapo.table.find((row) => row.arm === arm)!;
  const arms = [
    ['8/0', '8 own'],
    ['6/2', '6 own, 2 from peers'],
    ['4/4', '4 own, 4 from peers'],
    ['2/6', '2 own, 6 from peers'],
    ['2/0 lean', '2 own, and only 2 written'],
    ['2/6 lean', '2 own, only 2 written, up to 6 from peers'],
  ] as const;
  return {
    name: 'sharing',
    label: 'Sharing',
    question: `Does training on peers’ groups of answers help? ${sapo.nodes} nodes, ${sapo.rounds} rounds, ${sapo.seeds.length} runs each.`,
    answer: `A peer’s group taught as much as one’s own, and no more: the SAPO paper’s gain of half to nearly all again did not show between nodes that start alike. What sharing saves is writing: with a quarter of the answers written, peers’ groups made up half of what that cost.`,
    table: {
      columns: ['Groups trained a round', 'Reward, against 8 own', 'Spread of the runs'],
      rows: arms.map(([arm, label]) => [label, of(arm).ratio.toFixed(3), of(arm).ratioDeviation.toFixed(3)]),
    },
  };
};

const staleness = (): Finding => {
  const line = (subject: string) =>
    stale.ages.map((age) => stale.rows.find((row) => row.subject === subject && row.staleness === age)!.last.mean);
  return {
    name: 'staleness',
    label: 'Old answers',
    question: `Which objective learns from answers that waited many rounds, as peers’ do? ${stale.rounds} rounds, ${stale.seeds.length} runs each.`,
    answer:
      'Plain policy gradient forgets nearly everything once answers are 32 rounds old. ASymPO, which peers’ answers are trained with here, does not, though it is not told how likely an answer was to its author; GRPO, which is told, holds as well.',
    chart: {
      x: stale.ages,
      xLabel: 'Rounds old',
      yLabel: 'Reward at the end',
      series: objectiveLines(line),
    },
  };
};

const strangers = (): Finding => {
  const counts = [...new Set(foreign.rows.map((row) => row.foreign))];
  const line = (subject: string) =>
    counts.map(
      (count) => foreign.rows.find((row) => row.subject === subject && row.foreign === count)!.meanReward.mean,
    );
  return {
    name: 'strangers',
    label: 'Strangers’ answers',
    question: `And from the answers of quite another policy, right ${share(foreign.rows[0]!.peerReward)} of the time? ${foreign.rounds} rounds, ${foreign.seeds.length} runs each.`,
    answer:
      'The more of eight groups are a stranger’s, the less plain policy gradient and GRPO learn. ASymPO learns about as much from six of eight as from none, from a stranger that is right a third as often as its pupil.',
    chart: {
      x: counts,
      xLabel: 'Stranger’s groups of 8',
      yLabel: 'Mean reward of all rounds',
      series: objectiveLines(line),
    },
  };
};

const demonstrations = (): Finding => {
  const line = (arm: string) =>
    bridge.rows.find((row) => row.arm === arm && row.kind === 'clean')!.curves.map(({ mean }) => mean);
  const bridged = line('BRIDGE');
  return {
    name: 'demonstrations',
    label: 'Demonstrations',
    question: `How are right answers to imitate and rewards best joined? Score on tasks kept out, ${bridge.seeds.length} runs each.`,
    answer:
      'BRIDGE learnt faster than imitating first and practising afterwards, and ended higher. So did the mix of both with a second adapter and without BRIDGE’s own term, so it is the adapter that helps. A round of BRIDGE takes more than twice as long.',
    chart: {
      x: bridged.map((_, i) => (i * bridge.rounds) / (bridged.length - 1)),
      xLabel: 'Round',
      yLabel: 'Score on tasks kept out',
      series: [
        { label: 'Mix with adapter', values: line('mix, adapter'), ...looks.first },
        { label: 'BRIDGE', values: bridged, ...looks.second },
        { label: 'Imitate, then practise', values: line('cold start'), ...looks.other },
      ],
    },
  };
};

export const findings: readonly Finding[] = [sharing(), staleness(), strangers(), demonstrations()];

/** The chart's ends in words, for who does not see it. */
export function describeFinding({ chart }: Finding): string {
  if (!chart) return '';
  const { x, xLabel, yLabel, series } = chart;
  const ends = series.map(({ label, values }) => `${label} ${share(values[0]!)} to ${share(values.at(-1)!)}`);
  return `${yLabel}, from ${xLabel.toLowerCase()} ${x[0]} to ${x.at(-1)}: ${ends.join('; ')}.`;
}
