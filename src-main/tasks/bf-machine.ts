/**
 * Runs programs of the eight-instruction language BF: a tape of 8-bit cells that wrap, no input. Knows nothing of tasks.
 * Invariant: always ends, after at most `maxSteps` instructions; the tape and the output are bounded too.
 */

export type BfRun =
  | { ok: true; output: string; steps: number }
  | { ok: false; reason: 'unbalanced brackets' | 'step limit' | 'output limit' | 'left the tape' | 'reads input' };

const TAPE_CELLS = 1024;
const MAX_OUTPUT_CHARS = 1024;

/** Position of the other bracket for each bracket, or null where they do not pair up. */
function pairBrackets(program: string): Int32Array | null {
  const partner = new Int32Array(program.length);
  const open: number[] = [];
  for (let at = 0; at < program.length; at++) {
    if (program[at] === '[') open.push(at);
    if (program[at] !== ']') continue;
    const start = open.pop();
    if (start === undefined) return null;
    partner[at] = start;
    partner[start] = at;
  }
  return open.length === 0 ? partner : null;
}

/** Characters other than the eight instructions are skipped without counting as a step. */
export function runBf(program: string, maxSteps: number): BfRun {
  const partner = pairBrackets(program);
  if (partner === null) return { ok: false, reason: 'unbalanced brackets' };
  const tape = new Uint8Array(TAPE_CELLS);
  let cell = 0;
  let output = '';
  let steps = 0;
  for (let at = 0; at < program.length; at++) {
    const instruction = program[at]!;
    if (!'+-<>[].,'.includes(instruction)) continue;
    if (++steps > maxSteps) return { ok: false, reason: 'step limit' };
    if (instruction === '+') tape[cell]!++;
    else if (instruction === '-') tape[cell]!--;
    else if (instruction === '>') cell++;
    else if (instruction === '<') cell--;
    else if (instruction === '.') output += String.fromCharCode(tape[cell]!);
    else if (instruction === ',') return { ok: false, reason: 'reads input' };
    else if ((instruction === '[') === (tape[cell] === 0)) at = partner[at]!;
    if (cell < 0 || cell >= TAPE_CELLS) return { ok: false, reason: 'left the tape' };
    if (output.length > MAX_OUTPUT_CHARS) return { ok: false, reason: 'output limit' };
  }
  return { ok: true, output, steps };
}
