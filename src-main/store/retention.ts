/**
 * Keeps the history within its bounds of rounds and bytes, a little at a time: one call after each round deletes at most a few
 * thousand rows, so that a lowered limit is reached over some rounds and never in one long pause.
 * Order: rollouts go before rounds, for they are many and the curve is what people keep.
 */
import type { DatabaseSync } from 'node:sqlite';
import { readPragma } from './open-database.ts';

export interface Retention {
  /** Latest rounds kept. */
  rounds: number;
  /** Bytes in use in the main file. */
  bytes: number;
}

const roundsAtOnce = 512;
const groupsAtOnce = 64;
const stepsAtOnce = 16;
/** Pages of freed space given back to the file system in one call. */
const vacuumPages = 512;
/** Fewer free pages than this are kept for the next rounds. */
const sparePages = 64;

export interface Sweeper {
  /** After a round of this policy, inside no transaction. Returns whether the bounds hold now. */
  sweep(policy: number): boolean;
  usedBytes(): number;
}

export function createSweeper(
  database: DatabaseSync,
  retention: () => Retention,
  transact: <T>(work: () => T) => T,
): Sweeper {
  const statements = prepareSweeps(database);
  const usedBytes = () =>
    (readPragma(database, 'page_count') - readPragma(database, 'freelist_count')) * readPragma(database, 'page_size');

  const dropOldRounds = (policy: number) => {
    const last = statements.lastRound.get(policy)?.['round'];
    if (typeof last !== 'number') return true;
    const dropped = Number(statements.dropRounds.run(policy, last - retention().rounds, roundsAtOnce).changes);
    if (dropped > 0) dropOrphans();
    return dropped < roundsAtOnce;
  };
  const dropOrphans = () => {
    for (const { id, first } of statements.firstRounds.all()) {
      statements.dropMetrics.run(id as number, first as number);
      statements.dropRolloutsBefore.run(id as number, first as number);
      statements.dropGroupsBefore.run(id as number, first as number);
    }
  };
  const dropOldestGroups = () => {
    const bound = statements.groupBound.get(groupsAtOnce - 1)?.['id'] ?? statements.lastGroup.get()?.['id'];
    if (typeof bound !== 'number') return false;
    statements.dropRolloutsUpTo.run(bound);
    return Number(statements.dropGroupsUpTo.run(bound).changes) > 0;
  };
  const dropForSpace = () => {
    if (dropOldestGroups()) return true;
    const dropped = Number(statements.dropOldest.run(roundsAtOnce).changes);
    dropOrphans();
    return dropped > 0;
  };

  return {
    usedBytes,
    sweep: (policy) => {
      let held = transact(() => dropOldRounds(policy));
      for (let step = 0; usedBytes() > retention().bytes; step++) {
        if (step === stepsAtOnce || !transact(dropForSpace)) {
          held = false;
          break;
        }
      }
      if (readPragma(database, 'freelist_count') > sparePages)
        database.exec(`PRAGMA incremental_vacuum(${vacuumPages})`);
      return held;
    },
  };
}

function prepareSweeps(database: DatabaseSync) {
  return {
    lastRound: database.prepare('SELECT max(round) AS round FROM rounds WHERE policy = ?'),
    firstRounds: database.prepare(
      `SELECT id, coalesce((SELECT min(round) FROM rounds WHERE policy = id), ${Number.MAX_SAFE_INTEGER}) AS first FROM policies`,
    ),
    dropRounds: database.prepare(
      'DELETE FROM rounds WHERE policy = ?1 AND round IN (SELECT round FROM rounds WHERE policy = ?1 AND round <= ?2 ORDER BY round LIMIT ?3)',
    ),
    // The newest round of each policy always stays, so that numbering goes on.
    dropOldest: database.prepare(`
      DELETE FROM rounds WHERE (policy, round) IN (
        SELECT policy, round FROM rounds AS r WHERE round < (SELECT max(round) FROM rounds WHERE policy = r.policy)
        ORDER BY finished_at, round LIMIT ?)`),
    dropMetrics: database.prepare('DELETE FROM metrics WHERE policy = ? AND round < ?'),
    dropRolloutsBefore: database.prepare(
      'DELETE FROM rollouts WHERE group_id IN (SELECT id FROM rollout_groups WHERE policy = ? AND round < ?)',
    ),
    dropGroupsBefore: database.prepare('DELETE FROM rollout_groups WHERE policy = ? AND round < ?'),
    groupBound: database.prepare('SELECT id FROM rollout_groups ORDER BY id LIMIT 1 OFFSET ?'),
    lastGroup: database.prepare('SELECT max(id) AS id FROM rollout_groups'),
    dropRolloutsUpTo: database.prepare('DELETE FROM rollouts WHERE group_id <= ?'),
    dropGroupsUpTo: database.prepare('DELETE FROM rollout_groups WHERE id <= ?'),
  };
}
