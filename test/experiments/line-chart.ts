/**
 * A line chart as one self-contained SVG for the README: a legend, axes, one line per arm with its spread as a band. Text and lines take a grey that reads on light and on dark pages. Knows nothing of experiments.
 */
export interface ChartLine {
  name: string;
  /** Points in order of x. */
  x: readonly number[];
  y: readonly number[];
  /** Half width of the band around y; left out for a line without one. */
  band?: readonly number[];
}
export interface ChartOptions {
  title: string;
  xLabel: string;
  yLabel: string;
  lines: readonly ChartLine[];
  /** Where the y axis starts and ends; by default what the lines need. */
  yRange?: readonly [number, number];
}

// Okabe and Ito's colours, told apart by colour-blind readers too.
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6d31', '#7f7f7f'];
const GREY = '#808080';
const WIDTH = 760;
const PLOT_HEIGHT = 304;
const MARGIN = { left: 64, top: 44, right: 20, bottom: 52 };
const LEGEND = { line: 20, swatch: 30, character: 7.2, gap: 24 };

export function lineChart({ title, xLabel, yLabel, lines, yRange }: ChartOptions): string {
  const xs = lines.flatMap(({ x }) => x);
  const ys = lines.flatMap(({ y, band }) => y.flatMap((v, i) => [v - (band?.[i] ?? 0), v + (band?.[i] ?? 0)]));
  const [yLow, yHigh] = yRange ?? widened(Math.min(...ys), Math.max(...ys));
  const [xLow, xHigh] = [Math.min(...xs), Math.max(...xs)];
  const places = legendPlaces(lines.map(({ name }) => name));
  const top = MARGIN.top + (places.at(-1)!.row + 1) * LEGEND.line;
  const bottom = top + PLOT_HEIGHT;
  const height = bottom + MARGIN.bottom;
  const px = (x: number) => MARGIN.left + ((x - xLow) / (xHigh - xLow || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const py = (y: number) => bottom - ((y - yLow) / (yHigh - yLow || 1)) * PLOT_HEIGHT;
  const point = (x: number, y: number) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`;

  const grid = [
    ...ticks(yLow, yHigh).map(
      (y) =>
        `<path d="M${MARGIN.left} ${py(y).toFixed(1)}H${WIDTH - MARGIN.right}" stroke="${GREY}" stroke-opacity=".25"/>` +
        text(MARGIN.left - 8, py(y) + 4, shortNumber(y), 'end'),
    ),
    ...ticks(xLow, xHigh).map((x) => text(px(x), bottom + 20, shortNumber(x), 'middle')),
  ];
  const drawn = lines.map(({ name, x, y, band }, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const area = band
      ? `<path d="M${x.map((at, k) => point(at, y[k]! + band[k]!)).join('L')}L${x
          .map((at, k) => point(at, y[k]! - band[k]!))
          .reverse()
          .join('L')}Z" fill="${colour}" fill-opacity=".15"/>`
      : '';
    const line = `<path d="M${x.map((at, k) => point(at, y[k]!)).join('L')}" fill="none" stroke="${colour}" stroke-width="2"/>`;
    const [legendX, legendY] = [places[i]!.x, MARGIN.top + places[i]!.row * LEGEND.line + 4];
    const legend =
      `<path d="M${legendX.toFixed(1)} ${legendY - 4}h22" stroke="${colour}" stroke-width="3"/>` +
      text(legendX + LEGEND.swatch, legendY, name, 'start');
    return area + line + legend;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}"`,
    ` font-family="system-ui,sans-serif" font-size="13" fill="${GREY}">`,
    `<text x="${MARGIN.left}" y="24" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...grid,
    text((MARGIN.left + WIDTH - MARGIN.right) / 2, height - 12, xLabel, 'middle'),
    `<text transform="translate(16 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
    ...drawn,
    '</svg>\n',
  ].join('');
}

/** One name after the other, in as many rows as that takes. */
function legendPlaces(names: readonly string[]): { x: number; row: number }[] {
  let [x, row] = [MARGIN.left, 0];
  return names.map((name) => {
    const width = LEGEND.swatch + name.length * LEGEND.character;
    if (x > MARGIN.left && x + width > WIDTH - MARGIN.right) [x, row] = [MARGIN.left, row + 1];
    const place = { x, row };
    x += width + LEGEND.gap;
    return place;
  });
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function widened(low: number, high: number): [number, number] {
  const margin = (high - low || 1) * 0.08;
  return [low - margin, high + margin];
}

/** About five round numbers within [low, high]. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(6)));
}
