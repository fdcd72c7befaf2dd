/**
 * Makes text of unknown origin safe for people to look at: what a peer or a policy wrote must not move the cursor, reverse the
 * reading order, hide letters or fill the screen. It does not escape HTML: text reaches the page as a text node only.
 * Sources: Unicode general categories Cc, Cf, Co, Cs, Zl, Zp and the property Default_Ignorable_Code_Point (bidi controls,
 * zero-width characters, fillers, variation selectors, tags).
 */

const invisible = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const unprintable = /[\p{Cc}\p{Co}\p{Cs}]/gu;
const unprintableButLines = /[^\P{Cc}\n\t]|[\p{Co}\p{Cs}]/gu;
const lineBreak = /\r\n?|[\u0085\u2028\u2029]/g;
/** More than four marks on one letter draw over the lines around it. */
const stackedMarks = /(\p{M}{4})\p{M}+/gu;
/** Nothing to clean: most names and lines are of this kind, and looking for each of the others takes ten times as long. */
const plainAscii = /^[ -~]*$/;

/** One line: breaks and tabs become spaces, invisible characters go, unprintable ones become U+FFFD; at most `maxLength` code points. */
export function safeLine(text: string, maxLength: number): string {
  const start = bounded(text, maxLength);
  if (plainAscii.test(start)) return cut(start.trim(), maxLength);
  const clean = start
    .replace(lineBreak, '\n')
    .replace(/[\n\t]+/g, ' ')
    .replace(invisible, '')
    .replace(unprintable, '\uFFFD')
    .replace(stackedMarks, '$1')
    .trim();
  return cut(clean, maxLength);
}

/** Like `safeLine`, but keeps line breaks (as \n) and tabs. */
export function safeBlock(text: string, maxLength: number): string {
  const clean = bounded(text, maxLength)
    .replace(lineBreak, '\n')
    .replace(invisible, '')
    .replace(unprintableButLines, '\uFFFD')
    .replace(stackedMarks, '$1');
  return cut(clean, maxLength);
}

/** One line for a log: nothing is dropped, everything a terminal or an editor would act on is written as an escape. */
export function escapedLine(text: string, maxLength: number): string {
  const shown = bounded(text, maxLength)
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/\t/g, '\\t')
    .replace(
      /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu,
      (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
    );
  return cut(shown, maxLength);
}

/** Work stays proportional to what is shown, however long the input is. */
function bounded(text: string, maxLength: number): string {
  const units = maxLength * 8 + 16;
  return text.length > units ? text.slice(0, units) : text;
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const points = Array.from(text);
  return points.length <= maxLength ? text : `${points.slice(0, Math.max(0, maxLength - 1)).join('')}…`;
}
