/**
 * Finds the answer in a completion: the inside of the last `<answer>...</answer>`, trimmed. Knows nothing of tasks.
 * Linear in the completion's length, whatever it holds.
 */

const OPEN = '<answer>';
const CLOSE = '</answer>';

export type ExtractedAnswer = { ok: true; answer: string } | { ok: false; reason: 'no answer tag' };

/** With `bareAnswer`, a completion without a complete tag pair is the answer as a whole. */
export function extractAnswer(completion: string, options: { bareAnswer?: boolean } = {}): ExtractedAnswer {
  const close = completion.lastIndexOf(CLOSE);
  const open = close < OPEN.length ? -1 : completion.lastIndexOf(OPEN, close - OPEN.length);
  if (open !== -1) return { ok: true, answer: completion.slice(open + OPEN.length, close).trim() };
  return options.bareAnswer === true ? { ok: true, answer: completion.trim() } : { ok: false, reason: 'no answer tag' };
}
