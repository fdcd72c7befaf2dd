/** `score`: token ids and log-probabilities of a completion under a model folder, for people or as JSON. */
import { alignTable, paint, type Terminal } from './terminal.ts';

export interface CompletionScore {
  tokenIds: readonly number[];
  /** Natural logarithms, one a token. */
  logprobs: readonly number[];
  promptTokenIds: readonly number[];
  computedIn: string;
  storedAs: string;
}

export function renderScore(terminal: Terminal, score: CompletionScore, json: boolean): string {
  const { promptTokenIds, tokenIds, logprobs, computedIn, storedAs } = score;
  const sum = logprobs.reduce((total, logprob) => total + logprob, 0);
  if (json) return JSON.stringify({ promptTokenIds, tokenIds, logprobs, sum, computedIn, storedAs });
  const rows = [...tokenIds].map((id, i) => [String(i), String(id), (logprobs[i] ?? NaN).toFixed(4)]);
  const mean = tokenIds.length === 0 ? 'no tokens' : `mean ${(sum / tokenIds.length).toFixed(4)} nats a token`;
  const summary = `log-probability ${sum.toFixed(4)} nats, ${mean}; prompt of ${promptTokenIds.length} tokens`;
  const precision = `computed in ${computedIn}, as training does; the weights are stored in ${storedAs}`;
  return `${alignTable(terminal, ['position', 'token', 'log-prob'], rows)}\n${paint(terminal, 'bold', summary)}\n${precision}`;
}
