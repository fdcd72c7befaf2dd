/** What the exams say, pure: which of them can be compared, in words, and task by task. */
import type { ExamRow } from '../../src-main/engine/api.ts';
import { formatShare, plural } from '../ui/format.ts';

export interface ComparedTask {
  generator: string;
  greedy: number;
  sampled: number;
  /** Sampled score against the first exam's; null where there is but one. */
  change: number | null;
}

/** Those of the latest one's set, version and length: other exams ask other tasks. */
export function sameExam(rows: readonly ExamRow[]): ExamRow[] {
  const latest = rows.at(-1);
  return rows.filter(
    (row) =>
      row.taskSet === latest?.taskSet && row.taskSetVersion === latest.taskSetVersion && row.tasks === latest.tasks,
  );
}

export function comparedTasks(rows: readonly ExamRow[]): ComparedTask[] {
  const [first, latest] = [rows[0], rows.at(-1)];
  return (latest?.byTask ?? []).map(({ generator, greedy, sampled }) => {
    const before = rows.length > 1 ? first!.byTask.find((task) => task.generator === generator) : undefined;
    return { generator, greedy, sampled, change: before ? sampled - before.sampled : null };
  });
}

/** "Sampled score rose from 42 % to 61 % over 200 rounds (8 exams); greedy 32 % to 60 %." */
export function describeExams(rows: readonly ExamRow[]): string {
  const [first, latest] = [rows[0], rows.at(-1)];
  if (!first || !latest) return 'No exam yet.';
  if (rows.length === 1)
    return `First exam: ${formatShare(latest.sampled)} sampled, ${formatShare(latest.greedy)} greedy.`;
  const change = latest.sampled - first.sampled;
  const way = Math.abs(change) < 0.005 ? 'stayed near' : change > 0 ? 'rose to' : 'fell to';
  return `Sampled score ${way} ${formatShare(latest.sampled)} from ${formatShare(first.sampled)} over ${plural(latest.round - first.round, 'round')} (${plural(rows.length, 'exam')}); greedy ${formatShare(first.greedy)} to ${formatShare(latest.greedy)}.`;
}
