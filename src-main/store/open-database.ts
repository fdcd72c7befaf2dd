/**
 * Opens the history file: settings, checks, migrations. A foreign or newer file is refused and left alone. A damaged one is
 * moved to NAME.corrupt-TIME and a new one begun, with a warning: it is only history, the policy and the identity live elsewhere,
 * and a node that refuses to train over it would cost its owner more. The two latest damaged files are kept.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { applicationId, migrations } from './schema.ts';
import { asStoreError, StoreError } from './store-error.ts';

export interface OpenDatabase {
  database: DatabaseSync;
  path: string;
  /** Where the damaged predecessor went; null when there was none. */
  movedTo: string | null;
}

const keptDamagedFiles = 2;

/** `now` in ms since epoch names a damaged file. @throws StoreError, DiskFullError */
export function openDatabase(path: string, { now }: { now: () => number }): OpenDatabase {
  try {
    return { database: openChecked(path), path, movedTo: null };
  } catch (error) {
    const known = asStoreError(error, path);
    if (!(known instanceof StoreError) || known.code !== 'storeCorrupt') throw known;
  }
  const movedTo = moveAside(path, now());
  try {
    return { database: openChecked(path), path, movedTo };
  } catch (error) {
    throw asStoreError(error, path);
  }
}

function openChecked(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 3000, enableForeignKeyConstraints: false, allowExtension: false });
  try {
    prove(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function prove(database: DatabaseSync, path: string): void {
  const version = readPragma(database, 'user_version');
  const fresh = readCount(database, 'SELECT count(*) AS count FROM sqlite_schema') === 0;
  if (!fresh && readPragma(database, 'application_id') !== applicationId)
    throw new StoreError(
      'storeForeign',
      path,
      `The file ${path} is a database of another program.`,
      'Move it away, or choose another data folder with --data.',
    );
  if (version > migrations.length)
    throw new StoreError(
      'storeNewer',
      path,
      `The history ${path} was written by a newer Waggle (format ${version}, this one knows ${migrations.length}).`,
      'Update Waggle, or choose another data folder with --data.',
    );
  // Before the first table and before WAL, or it has no effect.
  if (fresh) database.exec('PRAGMA auto_vacuum = INCREMENTAL');
  // NORMAL in WAL mode keeps the file sound through a power cut; the last rounds of history may be missing then.
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 8388608; PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF',
  );
  const checked = database.prepare('PRAGMA quick_check(1)').get();
  if (checked?.['quick_check'] !== 'ok')
    throw new StoreError(
      'storeCorrupt',
      path,
      `The history ${path} is damaged.`,
      'Start Waggle again: it moves the damaged file aside.',
    );
  migrate(database, version);
}

function migrate(database: DatabaseSync, from: number): void {
  for (let version = from; version < migrations.length; version++) {
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(
        `${migrations[version]!}; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version + 1}; COMMIT`,
      );
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

function moveAside(path: string, at: number): string {
  const movedTo = `${path}.corrupt-${new Date(at).toISOString().replace(/[:.]/g, '-')}`;
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix);
  const folder = dirname(path);
  const damaged = readdirSync(folder).filter(
    (name) => name.startsWith(`${basename(path)}.corrupt-`) && !/-(?:wal|shm)$/.test(name),
  );
  for (const name of damaged.sort().slice(0, -keptDamagedFiles))
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, name + suffix), { force: true });
  return movedTo;
}

export function readPragma(
  database: DatabaseSync,
  name: 'user_version' | 'application_id' | 'page_count' | 'freelist_count' | 'page_size',
): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

export function readCount(database: DatabaseSync, sql: string): number {
  return Number(database.prepare(sql).get()?.['count']);
}
