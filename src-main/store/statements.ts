/** Every statement of the store, prepared once per open file. */
import type { DatabaseSync } from 'node:sqlite';

const rolloutColumns = `r.id, g.round, g.at, g.origin, r.own, g.policy_name, g.task, g.question, g.answer, r.completion, r.ended, r.reward, r.advantage
  FROM rollouts r JOIN rollout_groups g ON g.id = r.group_id`;

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(database: DatabaseSync) {
  const of = (sql: string) => database.prepare(sql);
  return {
    putRound: of('INSERT OR REPLACE INTO rounds (round, finished_at, seconds, policy_version) VALUES (?, ?, ?, ?)'),
    dropMetricsOf: of('DELETE FROM metrics WHERE round = ?'),
    nameMetric: of('INSERT INTO metric_names (name) VALUES (?) ON CONFLICT DO NOTHING'),
    putMetric: of('INSERT INTO metrics (round, value, metric) SELECT ?, ?, id FROM metric_names WHERE name = ?'),
    roundSpan: of('SELECT min(round) AS first, max(round) AS last, count(*) AS count FROM rounds WHERE round >= ?'),
    roundRows: of(`
      SELECT r.round, r.finished_at, r.seconds, r.policy_version, n.name, m.value
      FROM rounds r LEFT JOIN metrics m ON m.round = r.round LEFT JOIN metric_names n ON n.id = m.metric
      WHERE r.round >= ?1 AND (r.round % ?2 = 0 OR r.round = ?3) ORDER BY r.round`),
    lastRound: of('SELECT max(round) AS round FROM rounds'),
    recentMean: of(`
      SELECT avg(value) AS mean FROM (
        SELECT value FROM metrics WHERE metric = (SELECT id FROM metric_names WHERE name = ?1)
          AND round IN (SELECT round FROM rounds ORDER BY round DESC LIMIT ?2))`),

    putGroup: of(
      'INSERT INTO rollout_groups (round, at, origin, policy_name, task, question, answer) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    putRollout: of(
      'INSERT INTO rollouts (group_id, own, completion, ended, reward, advantage) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    dropRolloutsOf: of('DELETE FROM rollouts WHERE group_id IN (SELECT id FROM rollout_groups WHERE round = ?)'),
    dropGroupsOf: of('DELETE FROM rollout_groups WHERE round = ?'),
    rollouts: of(`SELECT ${rolloutColumns} WHERE r.id < ? ORDER BY r.id DESC LIMIT ?`),
    rolloutsByOwn: of(`SELECT ${rolloutColumns} WHERE r.own = ? AND r.id < ? ORDER BY r.id DESC LIMIT ?`),

    creditPeer: of(`
      INSERT INTO peers VALUES (:peer, :own, :displayName, coalesce(:policyName, ''), :groupsVerified, :completionsVerified, :completionsRight,
        :groupsAdopted, :rejected, :at, :at)
      ON CONFLICT (peer) DO UPDATE SET
        own = :own,
        display_name = coalesce(:displayName, display_name),
        policy_name = coalesce(:policyName, policy_name),
        groups_verified = groups_verified + :groupsVerified,
        completions_verified = completions_verified + :completionsVerified,
        completions_right = completions_right + :completionsRight,
        groups_adopted = groups_adopted + :groupsAdopted,
        rejected = rejected + :rejected,
        last_seen_at = max(last_seen_at, :at)`),
    leaderboard: of('SELECT * FROM peers ORDER BY completions_right DESC, groups_adopted DESC, peer LIMIT ?'),
    peerCount: of('SELECT count(*) AS count FROM peers'),
    dropPeers: of(
      'DELETE FROM peers WHERE peer IN (SELECT peer FROM peers WHERE own = 0 ORDER BY groups_verified, last_seen_at LIMIT ?)',
    ),

    putExam: of(`
      INSERT OR REPLACE INTO exams VALUES (:round, :at, :policyVersion, :taskSet, :taskSetVersion, :tasks, :greedy, :sampled, :seconds,
        :byTask)`),
    exams: of('SELECT * FROM (SELECT * FROM exams ORDER BY round DESC LIMIT ?) ORDER BY round'),
    lastExam: of('SELECT max(round) AS round FROM exams'),
    dropOldExams: of(
      'DELETE FROM exams WHERE round IN (SELECT round FROM exams ORDER BY round DESC LIMIT -1 OFFSET ?)',
    ),
    rewindExams: of('DELETE FROM exams WHERE round > ?'),

    addCounter: of(
      'INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2',
    ),
    counters: of('SELECT name, value FROM counters'),
    note: of('SELECT value FROM notes WHERE name = ?'),
    setNote: of('INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)'),
    dropNote: of('DELETE FROM notes WHERE name = ?'),

    rewindRollouts: of('DELETE FROM rollouts WHERE group_id IN (SELECT id FROM rollout_groups WHERE round > ?)'),
    rewindGroups: of('DELETE FROM rollout_groups WHERE round > ?'),
    rewindMetrics: of('DELETE FROM metrics WHERE round > ?'),
    rewindRounds: of('DELETE FROM rounds WHERE round > ?'),
  };
}
