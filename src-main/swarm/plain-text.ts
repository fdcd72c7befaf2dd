/**
 * Makes a short label from a stranger's text: one line, no control characters, no bidirectional overrides or other
 * invisible format characters, bounded length. For policy names and reasons in logs; completions are kept exact, because
 * they are verified and re-tokenised, and views treat them as text only.
 */
export function plainLabel(text: string, maxCharacters: number): string {
  const visible = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]+/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  const characters = Array.from(visible);
  return characters.length <= maxCharacters ? visible : `${characters.slice(0, maxCharacters - 1).join('')}…`;
}
