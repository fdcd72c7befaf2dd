/** Numbers, sizes, durations and times as people read them. Pure; the locale is the browser's for dates, English for words. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clockTime = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** 12,345 up to a hundred thousand, then 1.2M. */
export function formatCount(value: number): string {
  return Math.abs(value) < 100_000 ? whole.format(value) : compact.format(value);
}

/** A few significant digits for a number of unknown size. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return formatCount(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

/** A share 0..1 as percent. */
export function formatShare(value: number): string {
  const percent = value * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

const byteUnits = ['B', 'KB', 'MB', 'GB', 'TB'] as const;
/** Decimal units, as disks and networks use them. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${byteUnits[unit]}`;
}

/** Memory in binary units under their usual short names, as task managers show them. */
export function formatMemory(bytes: number): string {
  const mib = bytes / 1024 ** 2;
  return mib < 1000 ? `${mib.toFixed(0)} MB` : `${(mib / 1024).toFixed(1)} GB`;
}

/** Two largest parts: 45 s, 3 min 20 s, 2 h 5 min, 4 d 3 h. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return join(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return join(hours, 'h', minutes % 60, 'min');
  return join(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** "just now", "12 s ago", "3 min ago", "5 h ago", "2 d ago". A time in the future reads "just now". */
export function formatAgo(at: number, now: number): string {
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

export function formatDateTime(at: number): string {
  return dateTime.format(at);
}

export function formatClock(at: number): string {
  return clockTime.format(at);
}

/** The first and last digits of a public key; enough to tell peers apart. */
export function shortenId(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 6)}…${id.slice(-4)}`;
}

/** `chain_sum` -> `chain sum`. */
export function formatName(name: string): string {
  return name.replaceAll('_', ' ');
}

/** "1 peer", "3 peers". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
