/**
 * What the CLI writes with: text for people with colours where they are wanted, JSON for programs, and faults with their fix.
 * Knows nothing of commands.
 *
 * Invariant: text that came from elsewhere (log rows, names of peers) loses its control characters before it is shown.
 */
import { stripVTControlCharacters } from 'node:util';
import type { ApiFault } from '../engine/api.ts';

export interface Terminal {
  /** One or more lines, to standard output. */
  print(text: string): void;
  /** To standard error. */
  complain(text: string): void;
  colours: boolean;
}

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

const codes: Readonly<Record<Colour, [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

export function openTerminal(out: NodeJS.WriteStream, err: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Terminal {
  const wanted = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return {
    print: (text) => void out.write(`${text}\n`),
    complain: (text) => void err.write(`${text}\n`),
    colours: wanted && out.isTTY,
  };
}

export function paint(terminal: Pick<Terminal, 'colours'>, colour: Colour, text: string): string {
  const [on, off] = codes[colour];
  return terminal.colours ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

/** Text of strangers as one harmless line. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text).replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ');
}

/** Two columns: labels of one width, values beside them. */
export function alignPairs(terminal: Pick<Terminal, 'colours'>, pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([label]) => label.length));
  return pairs.map(([label, value]) => `  ${paint(terminal, 'dim', label.padEnd(width))}  ${value}`).join('\n');
}

/** Columns of equal width, headings first; the last column is not padded. */
export function alignTable(terminal: Pick<Terminal, 'colours'>, headings: readonly string[], rows: string[][]): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  return [paint(terminal, 'dim', line(headings)), ...rows.map(line)].join('\n');
}

/** A fault for people: what happened, and on the next line what to do. */
export function complainFault(terminal: Terminal, fault: ApiFault): void {
  terminal.complain(`waggle: ${fault.message}\n  ${fault.fix}`);
}
