/** Every statement of the store, prepared once per open file. */
import type { DatabaseSync } from 'node:sqlite';

const rolloutColumns = `r.id, g.round, g.at, g.origin, r.own, g.policy_name, g.task, g.question, g.answer, r.completion, r.ended, r.reward, r.advantage
  FROM rollouts r JOIN rollout_groups g ON g.id = r.group_id`;

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(database: DatabaseSync) {
  const of = (sql: string) => database.prepare(sql);
  return {
    policyOf: of('SELECT id FROM policies WHERE identity = ?'),
    policyInUse: of('SELECT id, identity, name, directory FROM policies ORDER BY used DESC LIMIT 1'),
    claimRounds: of("UPDATE policies SET identity = ? WHERE identity = ''"),
    addPolicy: of("INSERT INTO policies (identity, name, directory, used) VALUES (?, '', '', 0)"),
    usePolicy: of(
      'UPDATE policies SET name = ?, directory = ?, used = (SELECT max(used) + 1 FROM policies) WHERE id = ?',
    ),
    policies: of(`
      SELECT p.identity, p.name, p.directory, max(r.round) AS round, max(r.finished_at) AS at
      FROM policies p JOIN rounds r ON r.policy = p.id GROUP BY p.id ORDER BY p.used DESC`),

    putRound: of(
      'INSERT OR REPLACE INTO rounds (policy, round, finished_at, seconds, policy_version) VALUES (?, ?, ?, ?, ?)',
    ),
    dropMetricsOf: of('DELETE FROM metrics WHERE policy = ? AND round = ?'),
    nameMetric: of('INSERT INTO metric_names (name) VALUES (?) ON CONFLICT DO NOTHING'),
    putMetric: of(
      'INSERT INTO metrics (policy, round, value, metric) SELECT ?, ?, ?, id FROM metric_names WHERE name = ?',
    ),
    roundSpan: of(
      'SELECT min(round) AS first, max(round) AS last, count(*) AS count FROM rounds WHERE policy = ? AND round >= ?',
    ),
    roundRows: of(`
      SELECT r.round, r.finished_at, r.seconds, r.policy_version, n.name, m.value
      FROM rounds r LEFT JOIN metrics m ON m.policy = r.policy AND m.round = r.round LEFT JOIN metric_names n ON n.id = m.metric
      WHERE r.policy = ?1 AND r.round >= ?2 AND (r.round % ?3 = 0 OR r.round = ?4) ORDER BY r.round`),
    lastRound: of('SELECT max(round) AS round FROM rounds WHERE policy = ?'),
    recentMean: of(`
      SELECT avg(value) AS mean FROM (
        SELECT value FROM metrics WHERE policy = ?1 AND metric = (SELECT id FROM metric_names WHERE name = ?2)
          AND round IN (SELECT round FROM rounds WHERE policy = ?1 ORDER BY round DESC LIMIT ?3))`),

    putGroup: of(
      'INSERT INTO rollout_groups (policy, round, at, origin, policy_name, task, question, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    putRollout: of(
      'INSERT INTO rollouts (group_id, own, completion, ended, reward, advantage) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    dropRolloutsOf: of(
      'DELETE FROM rollouts WHERE group_id IN (SELECT id FROM rollout_groups WHERE policy = ? AND round = ?)',
    ),
    dropGroupsOf: of('DELETE FROM rollout_groups WHERE policy = ? AND round = ?'),
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
      INSERT OR REPLACE INTO exams VALUES (:policy, :round, :at, :policyVersion, :taskSet, :taskSetVersion, :tasks, :greedy, :sampled, :seconds,
        :byTask)`),
    exams: of('SELECT * FROM (SELECT * FROM exams WHERE policy = ? ORDER BY round DESC LIMIT ?) ORDER BY round'),
    lastExam: of('SELECT max(round) AS round FROM exams WHERE policy = ?'),
    dropOldExams: of(
      'DELETE FROM exams WHERE policy = ?1 AND round IN (SELECT round FROM exams WHERE policy = ?1 ORDER BY round DESC LIMIT -1 OFFSET ?2)',
    ),
    rewindExams: of('DELETE FROM exams WHERE policy = ? AND round > ?'),

    putBenefit: of(`
      INSERT OR REPLACE INTO benefits VALUES (:policy, :round, :fromRound, :at, :taskSet, :taskSetVersion, :tasks, :answers, :withPeers, :alone,
        :standardError, :groupsWithPeers, :groupsFromPeers, :groupsAlone, :seconds)`),
    benefits: of('SELECT * FROM (SELECT * FROM benefits WHERE policy = ? ORDER BY round DESC LIMIT ?) ORDER BY round'),
    dropOldBenefits: of(
      'DELETE FROM benefits WHERE policy = ?1 AND round IN (SELECT round FROM benefits WHERE policy = ?1 ORDER BY round DESC LIMIT -1 OFFSET ?2)',
    ),
    rewindBenefits: of('DELETE FROM benefits WHERE policy = ? AND round > ?'),

    addCounter: of(
      'INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2',
    ),
    counters: of('SELECT name, value FROM counters'),
    note: of('SELECT value FROM notes WHERE name = ?'),
    setNote: of('INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)'),
    dropNote: of('DELETE FROM notes WHERE name = ?'),

    rewindRollouts: of(
      'DELETE FROM rollouts WHERE group_id IN (SELECT id FROM rollout_groups WHERE policy = ? AND round > ?)',
    ),
    rewindGroups: of('DELETE FROM rollout_groups WHERE policy = ? AND round > ?'),
    rewindMetrics: of('DELETE FROM metrics WHERE policy = ? AND round > ?'),
    rewindRounds: of('DELETE FROM rounds WHERE policy = ? AND round > ?'),
  };
}
