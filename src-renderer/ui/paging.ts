/** Which rows of a long list are shown. Pure. */

/** The page, from 0, that the row stands on. */
export function pageOf(row: number, size: number): number {
  return Math.max(0, Math.floor(row / size));
}

/** First row of a page; of the last one where the list has become shorter. */
export function pageStart(page: number, size: number, total: number): number {
  const last = Math.max(0, Math.ceil(total / size) - 1);
  return Math.min(page, last) * size;
}

/** The rows of the page on which the row `start` stands. */
export function pageRows<T>(rows: readonly T[], start: number, size: number): T[] {
  const from = pageStart(pageOf(start, size), size, rows.length);
  return rows.slice(from, from + size);
}
