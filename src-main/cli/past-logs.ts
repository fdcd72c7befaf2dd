/**
 * `logs` of a node that does not run: the rows it left in its data folder, the ones that rotated out included. Knows no
 * connection. Invariant: what the files say is shown as text only; a damaged line is left out.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { logFileName, logLevels, parseLogRow, type LogRow } from '../base/log.ts';
import { dataFolderPaths } from '../engine/data-folder.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { renderLogRow, type LogsOptions } from './node-commands.ts';
import type { Terminal } from './terminal.ts';

/** Faults that mean: nobody is there to ask. */
const nobodyThere = new Set(['noNode', 'nodeEnded', 'runtimeUnreadable', 'unreachable', 'notAuthorised']);
/** The log keeps three files; a few more cost nothing. */
const maxFiles = 10;

/** False when `error` has another cause, or nothing was left: then the error is what there is to say. */
export async function showPastLogs(
  error: unknown,
  dataDirectory: string,
  options: LogsOptions,
  terminal: Terminal,
): Promise<boolean> {
  if (!(error instanceof NodeFault) || !nobodyThere.has(error.code)) return false;
  const rows = await readPastRows(dataFolderPaths(dataDirectory).logs, options);
  if (rows.length === 0) return false;
  for (const row of rows) terminal.print(options.json === true ? JSON.stringify(row) : renderLogRow(terminal, row));
  terminal.complain(`waggle: ${error.message} These are the rows it left.`);
  return true;
}

/** Oldest first, at most `lines` of at least `level`. */
async function readPastRows(
  directory: string,
  { lines, level }: Pick<LogsOptions, 'lines' | 'level'>,
): Promise<LogRow[]> {
  const least = logLevels.indexOf(level);
  let rows: LogRow[] = [];
  for (let index = 0; index < maxFiles && rows.length < lines; index++) {
    const name = index === 0 ? logFileName : `${logFileName}.${index}`;
    const text = await readFile(join(directory, name), 'utf8').catch(() => null);
    if (text === null) break;
    const older = text.split('\n').flatMap((line) => parseLogRow(line) ?? []);
    rows = [...older.filter((row) => logLevels.indexOf(row.level) >= least), ...rows];
  }
  return rows.slice(-lines);
}
