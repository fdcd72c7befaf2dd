import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createLog, type LogRow } from '../../../src-main/base/log.ts';
import type { LogRow as ApiLogRow } from '../../../src-main/engine/api.ts';

const folder = mkdtempSync(join(tmpdir(), 'waggle-log-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const directoryOf = (name: string) => join(folder, name);

test('rows by level, the latest first to stay, oldest first to come', () => {
  const log = createLog({ directory: null, level: 'debug', maxRows: 3, now: () => 5 });
  const engine = log.for('engine');
  for (const text of ['one', 'two']) engine.debug(text);
  engine.info('three');
  engine.warn('four');
  engine.error('five', new Error('why'));
  assert.deepEqual(
    log.rows({ limit: 10, level: 'debug' }).map((row) => row.message),
    ['three', 'four', 'five: why'],
  );
  assert.deepEqual(
    log.rows({ limit: 1, level: 'warn' }).map((row) => row.level),
    ['error'],
  );
  assert.deepEqual(log.rows({ limit: 0, level: 'debug' }), []);
  const row: ApiLogRow = log.rows({ limit: 1, level: 'debug' })[0]!;
  assert.deepEqual(row, { at: 5, level: 'error', source: 'engine', message: 'five: why' });
});

test('below the level nothing is kept, and the level can change', () => {
  const log = createLog({ directory: null });
  const heard: LogRow[] = [];
  const leave = log.subscribe((row) => heard.push(row));
  log.for('a').debug('quiet');
  log.setLevel('debug');
  log.for('a').debug('loud');
  leave();
  log.for('a').info('unheard');
  assert.deepEqual(
    heard.map((row) => row.message),
    ['loud'],
  );
});

test('secrets, also in encoded form, and tokens never get into rows or file', () => {
  const directory = directoryOf('secret');
  const log = createLog({ directory, secrets: ['s3cr3t "q"/x'] });
  log.addSecret('another one');
  const out = log.for('api');
  out.info('plain s3cr3t "q"/x and another one');
  out.info(`json ${JSON.stringify({ secret: 's3cr3t "q"/x' })} url ${encodeURIComponent('s3cr3t "q"/x')}`);
  out.info('GET http://127.0.0.1:4747/?token=abcdefabcdef Authorization: Bearer abcdefabcdef');
  log.close();
  const text =
    readFileSync(join(directory, 'waggle.log'), 'utf8') + JSON.stringify(log.rows({ limit: 9, level: 'debug' }));
  for (const leak of ['s3cr3t', 'another one', 'abcdefabcdef']) assert.ok(!text.includes(leak), leak);
  assert.equal(text.split('[redacted]').length - 1, 12);
});

test('control characters and bidi overrides of a peer cannot act, nor forge a line', () => {
  const directory = directoryOf('hostile');
  const log = createLog({ directory });
  log.for('swarm').warn('peer says \u001b[2J\r\n2026-01-01T00:00:00.000Z error engine  fake \u202Etxt\u0000');
  log.close();
  const text = readFileSync(join(directory, 'waggle.log'), 'utf8');
  assert.equal(text.split('\n').length, 2);
  assert.doesNotMatch(text.trimEnd(), /[\p{Cc}\p{Cf}]/u);
  assert.match(text, /\\u\{202e\}txt/);
});

test('the files stay within their bound, and the file is private', () => {
  const directory = directoryOf('rotating');
  let at = 0;
  const log = createLog({ directory, maxFileBytes: 2000, maxFiles: 3, now: () => (at += 1000) });
  for (let index = 0; index < 500; index++) log.for('engine').info(`row ${index} ${'x'.repeat(50)}`);
  log.close();
  const names = readdirSync(directory).sort();
  assert.deepEqual(names, ['waggle.log', 'waggle.log.1', 'waggle.log.2']);
  for (const name of names) assert.ok(statSync(join(directory, name)).size <= 2000, name);
  assert.match(readFileSync(join(directory, 'waggle.log'), 'utf8'), /row 499/);
  const all = names
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .reverse()
    .join('');
  const numbers = [...all.matchAll(/row (\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => numbers[0]! + index),
  );
  if (process.platform !== 'win32') assert.equal(statSync(join(directory, 'waggle.log')).mode & 0o777, 0o600);
});

test('a restart appends', () => {
  const directory = directoryOf('again');
  for (const text of ['first', 'second']) {
    const log = createLog({ directory });
    log.for('engine').info(text);
    log.close();
  }
  assert.match(readFileSync(join(directory, 'waggle.log'), 'utf8'), /first\n.*second\n$/);
});

test('a flood from one source is cut and counted, others are still heard', () => {
  let at = 1000;
  const log = createLog({ directory: null, maxRowsPerSecond: 5, now: () => at });
  for (let index = 0; index < 1000; index++) log.for('swarm').warn('bad record');
  log.for('engine').info('round 1');
  at = 2000;
  log.for('swarm').warn('bad record');
  const rows = log.rows({ limit: 100, level: 'debug' });
  assert.equal(rows.filter((row) => row.message === 'bad record').length, 6);
  assert.ok(rows.some((row) => row.message === '995 rows left out: too many in one second'));
  assert.ok(rows.some((row) => row.message === 'round 1'));
});

test('a file that cannot be written, or a listener that throws, does not stop anything', () => {
  const blocked = directoryOf('blocked');
  writeFileSync(blocked, 'a file where the folder should be');
  const log = createLog({ directory: blocked });
  log.subscribe(() => {
    throw new Error('listener');
  });
  log.for('engine').info('still here');
  assert.equal(log.rows({ limit: 1, level: 'info' })[0]?.message, 'still here');
  log.close();
  log.close();
});
