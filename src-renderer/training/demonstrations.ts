/** What the report on demonstrations says, in words. Pure. */
import type { DemonstrationReport, DemonstrationRow } from '../../src-main/engine/api.ts';
import { formatCount, formatNumber, plural } from '../ui/format.ts';

/** Why a line of the owner's file was left out; names as the node gives them. */
const dropReasons: Record<string, string> = {
  notJson: 'not JSON',
  notADemonstration: 'no completion with a task or a prompt',
  lineTooLong: 'line too long',
  textTooLong: 'text too long',
  controlCharacters: 'control characters',
  unknownTask: 'no such task',
  wrongAnswer: 'wrong answer',
  repeated: 'said before',
  beyondLimit: 'beyond what is read',
};

/** "132 from 3 peers", or that there are none yet; null where peers are no source. */
export function describeWaiting({ sources, waiting }: DemonstrationReport): string | null {
  if (!sources.includes('peers')) return null;
  const total = waiting.reduce((sum, { count }) => sum + count, 0);
  return total === 0 ? 'None yet' : `${formatCount(total)} from ${plural(waiting.length, 'peer')}`;
}

/** "180 usable, 20 left out: 12 wrong answer (first in line 7)"; null without a file. */
export function describeFile({ file }: DemonstrationReport): string | null {
  if (!file) return null;
  const lost = file.dropped.reduce((sum, { count }) => sum + count, 0);
  const kept = `${formatCount(file.kept)} usable`;
  if (lost === 0) return kept;
  const why = file.dropped.map(
    ({ reason, count, firstLine }) =>
      `${formatCount(count)} ${dropReasons[reason] ?? reason} (first in line ${firstLine})`,
  );
  return `${kept}, ${formatCount(lost)} left out: ${why.join(', ')}`;
}

/** "1,204 of peers, 36 of the file"; the empty string before the first. */
export function describeUsed({ used }: DemonstrationReport): string {
  const parts = [
    [used.peer, 'of peers'],
    [used.file, 'of the file'],
    [used.own, 'of its own'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, whose]) => `${formatCount(count)} ${whose}`)
    .join(', ');
}

/** Whether imitating it could teach something: "S 0.61 nats, its own answers 0.40: new to it". */
export function describeSurprise({ surprise, ownSurprise }: DemonstrationRow): string {
  const verdict = surprise > ownSurprise ? 'new to it' : 'near what it writes itself';
  return `S ${formatNumber(surprise)} nats, its own answers ${formatNumber(ownSurprise)}: ${verdict}`;
}

/** What the list says while nothing has been imitated. */
export function describeNone({ sources, file }: DemonstrationReport): string {
  if (sources.includes('peers'))
    return 'Right answers of peers are gathered as their groups arrive and are checked here. Until there are some, rounds are trained on rewards alone.';
  if (sources.includes('own') || file) return 'The first round that imitates begins this list.';
  return 'No source of demonstrations is set: name peers in demonstrationSources or a file in demonstrationFile. Until then rounds are trained on rewards alone.';
}
