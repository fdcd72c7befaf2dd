/** Why the own score is what it is, in words. Pure. */
import type { BoardWindow, OwnScore } from '../../src-main/engine/api.ts';
import { plural } from '../ui/format.ts';
import { formatScore, windows } from './board.ts';

/** What auditors say when they refuse a record of this node, and what its owner can do about it. */
const refusals: Record<string, { words: string; advice: string }> = {
  expired: {
    words: 'too old when they arrived',
    advice: 'Usual after a pause; often otherwise: the connection is slow or seldom up.',
  },
  duplicateContent: {
    words: 'the same answers as in another record',
    advice: 'Usual where a policy has become very sure of its answers.',
  },
  taskRefused: {
    words: 'a task they do not know',
    advice: 'They use another task set or an older version of Waggle.',
  },
  badBody: {
    words: 'contents they could not read',
    advice: 'They may run an older version of Waggle. If it happens often, look for an update.',
  },
};

export interface Refusal {
  name: string;
  count: number;
  words: string;
  advice: string;
}

/** Most frequent first; a reason this page does not know is spelled out as it is. */
export function refusedByReason(refused: OwnScore['refused']): Refusal[] {
  return Object.entries(refused)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => ({ name, count, ...(refusals[name] ?? { words: name, advice: '' }) }))
    .sort((a, b) => b.count - a.count);
}

/** One sentence: the score, or what it still waits for. */
export function explainScore(own: OwnScore, window: BoardWindow): string {
  const { words } = windows.find(({ value }) => value === window)!;
  if (own.score > 0) {
    const vouched =
      own.vouched > 0 ? `, and ${formatScore(own.vouched)} vouched for by auditors that prove true here` : '';
    return `${plural(own.checked, 'record')} ${words} confirmed by ${plural(own.auditors, 'auditor')} whose receipts prove true here${vouched}.`;
  }
  if (own.shared === 0)
    return 'Nothing has been shared since this start; the first groups go out with the next rounds.';
  if (own.pulled === 0)
    return 'No peer has pulled a record from here since this start. A score begins with the first one.';
  return 'Peers have pulled records from here. They count once another node signs receipts for them that prove true here.';
}
