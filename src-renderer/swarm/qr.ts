/** A text as the dark modules of a QR code, as one SVG path in units of modules. Pure. */
import { encode } from 'uqr';

/** The light border that readers need, in modules (ISO/IEC 18004). */
export const quietZone = 4;

export interface QrPicture {
  /** Modules along a side, the quiet zone on both ends included. */
  size: number;
  /** Runs of dark modules, row by row. */
  path: string;
}

/** Throws a RangeError when the text is longer than any QR code holds. */
export function qrPicture(text: string): QrPicture {
  const { data, size } = encode(text, { ecc: 'L', border: 0 });
  const runs = data.flatMap((row, y) =>
    darkRuns(row).map(([x, length]) => `M${x + quietZone} ${y + quietZone}h${length}v1h-${length}z`),
  );
  return { size: size + 2 * quietZone, path: runs.join('') };
}

function darkRuns(row: readonly boolean[]): [start: number, length: number][] {
  const runs: [number, number][] = [];
  for (const [x, dark] of row.entries()) {
    const last = runs.at(-1);
    if (!dark) continue;
    if (last && last[0] + last[1] === x) last[1] += 1;
    else runs.push([x, 1]);
  }
  return runs;
}
