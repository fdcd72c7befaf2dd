/**
 * The tables of the history, as the list of steps that make them. Step n takes the file from user_version n to n + 1; steps are
 * never edited once released, only appended. `application_id` tells our files from others.
 */

/** "WAGG" */
export const applicationId = 0x57414747;

export const migrations: readonly string[] = [
  `
  CREATE TABLE rounds (
    round INTEGER PRIMARY KEY,
    finished_at INTEGER NOT NULL,
    seconds REAL NOT NULL,
    policy_version INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE metric_names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE metrics (
    round INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (round, metric)
  ) STRICT, WITHOUT ROWID;

  -- What all completions of a group share is stored once.
  CREATE TABLE rollout_groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    round INTEGER NOT NULL,
    at INTEGER NOT NULL,
    origin TEXT NOT NULL,
    policy_name TEXT NOT NULL,
    task TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL
  ) STRICT;
  CREATE INDEX rollout_groups_by_round ON rollout_groups (round);
  CREATE TABLE rollouts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    group_id INTEGER NOT NULL,
    own INTEGER NOT NULL,
    completion TEXT NOT NULL,
    ended INTEGER NOT NULL,
    reward REAL NOT NULL,
    advantage REAL
  ) STRICT;
  CREATE INDEX rollouts_by_group ON rollouts (group_id);
  CREATE INDEX rollouts_by_own ON rollouts (own, id);

  CREATE TABLE peers (
    peer TEXT PRIMARY KEY,
    own INTEGER NOT NULL,
    display_name TEXT,
    policy_name TEXT NOT NULL,
    groups_verified INTEGER NOT NULL,
    completions_verified INTEGER NOT NULL,
    completions_right INTEGER NOT NULL,
    groups_adopted INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE counters (name TEXT PRIMARY KEY, value REAL NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE exams (
    round INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    policy_version INTEGER NOT NULL,
    task_set TEXT NOT NULL,
    task_set_version INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    greedy REAL NOT NULL,
    sampled REAL NOT NULL,
    seconds REAL NOT NULL,
    -- JSON: a row for each task of the set
    by_task TEXT NOT NULL
  ) STRICT;
  `,
  // One sequence of rounds became one for each policy that the node has trained.
  `
  CREATE TABLE policies (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    directory TEXT NOT NULL,
    -- Counts up; the highest is the one in use.
    used INTEGER NOT NULL
  ) STRICT;
  -- Owns the rounds so far until the policy is opened that goes on with them.
  INSERT INTO policies VALUES (1, '', '', '', 0);

  ALTER TABLE rounds RENAME TO former_rounds;
  CREATE TABLE rounds (
    policy INTEGER NOT NULL,
    round INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    seconds REAL NOT NULL,
    policy_version INTEGER NOT NULL,
    PRIMARY KEY (policy, round)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO rounds SELECT 1, * FROM former_rounds;
  DROP TABLE former_rounds;

  ALTER TABLE metrics RENAME TO former_metrics;
  CREATE TABLE metrics (
    policy INTEGER NOT NULL,
    round INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (policy, round, metric)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO metrics SELECT 1, * FROM former_metrics;
  DROP TABLE former_metrics;

  ALTER TABLE exams RENAME TO former_exams;
  CREATE TABLE exams (
    policy INTEGER NOT NULL,
    round INTEGER NOT NULL,
    at INTEGER NOT NULL,
    policy_version INTEGER NOT NULL,
    task_set TEXT NOT NULL,
    task_set_version INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    greedy REAL NOT NULL,
    sampled REAL NOT NULL,
    seconds REAL NOT NULL,
    by_task TEXT NOT NULL,
    PRIMARY KEY (policy, round)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO exams SELECT 1, * FROM former_exams;
  DROP TABLE former_exams;

  ALTER TABLE rollout_groups ADD COLUMN policy INTEGER NOT NULL DEFAULT 1;
  DROP INDEX rollout_groups_by_round;
  CREATE INDEX rollout_groups_by_round ON rollout_groups (policy, round);
  `,
  `
  CREATE TABLE benefits (
    policy INTEGER NOT NULL,
    round INTEGER NOT NULL,
    from_round INTEGER NOT NULL,
    at INTEGER NOT NULL,
    task_set TEXT NOT NULL,
    task_set_version INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    answers INTEGER NOT NULL,
    with_peers REAL NOT NULL,
    alone REAL NOT NULL,
    standard_error REAL NOT NULL,
    groups_with_peers INTEGER NOT NULL,
    groups_from_peers INTEGER NOT NULL,
    groups_alone INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (policy, round)
  ) STRICT, WITHOUT ROWID;
  `,
];
