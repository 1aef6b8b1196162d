-- One row a job. A job's key is one number, so that the table needs no second index on the hot path:
--   id = slot << 43 | priority << 39 | seq
-- slot (20 bits) is the local number of a topic's partition, in table partitions. So the ready jobs of one
-- priority of one partition lie side by side in order of arrival. People read job_list instead.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;

CREATE TABLE topics (
  id             INTEGER PRIMARY KEY,
  name           TEXT NOT NULL UNIQUE,
  paused         INTEGER NOT NULL,
  partitions     INTEGER NOT NULL,
  attempts_max   INTEGER NOT NULL,
  backoff_ms_min INTEGER NOT NULL,
  backoff_ms_max INTEGER NOT NULL,
  run_ms_max     INTEGER NOT NULL,
  history        INTEGER NOT NULL,
  history_ms     INTEGER NOT NULL,
  dead_ms        INTEGER NOT NULL,
  dead_max       INTEGER NOT NULL
) STRICT;

-- The counts are written in the same commit as the rows they count.
CREATE TABLE partitions (
  slot      INTEGER PRIMARY KEY,
  topic_id  INTEGER NOT NULL REFERENCES topics(id),
  partition INTEGER NOT NULL,
  next_seq  INTEGER NOT NULL,
  live      INTEGER NOT NULL,
  scheduled INTEGER NOT NULL,
  retryable INTEGER NOT NULL,
  dead      INTEGER NOT NULL,
  enqueued  INTEGER NOT NULL,
  completed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  retried   INTEGER NOT NULL,
  died      INTEGER NOT NULL,
  UNIQUE (topic_id, partition)
) STRICT;

-- Live jobs. state: 0 scheduled, 2 available, 4 retryable (running is a lease, not a state of the row).
CREATE TABLE jobs (
  id           INTEGER PRIMARY KEY,
  state        INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  deaths       INTEGER NOT NULL,
  enqueued_ms  INTEGER NOT NULL,
  due_ms       INTEGER,
  key          TEXT,
  headers      BLOB,
  error        TEXT,
  payload      BLOB NOT NULL
) STRICT;

-- Costs a job without a due time nothing.
CREATE INDEX jobs_due ON jobs (id >> 43, due_ms) WHERE due_ms IS NOT NULL;

-- Jobs that ended: the dead, and the others of topics that keep history. state: 5 completed, 6 cancelled,
-- 7 dead; reason: 1 exhausted, 2 discarded, 3 expired, 4 quarantined.
CREATE TABLE finished (
  id           INTEGER PRIMARY KEY,
  topic_id     INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  reason       INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  deaths       INTEGER NOT NULL,
  enqueued_ms  INTEGER NOT NULL,
  started_ms   INTEGER,
  finished_ms  INTEGER NOT NULL,
  key          TEXT,
  headers      BLOB,
  error        TEXT,
  worker       TEXT,
  result       BLOB,
  payload      BLOB NOT NULL
) STRICT;
CREATE INDEX finished_by_age ON finished (topic_id, state, finished_ms);

CREATE TABLE sessions (
  id   BLOB PRIMARY KEY,
  name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  id         INTEGER PRIMARY KEY,
  session    BLOB NOT NULL,
  token      INTEGER NOT NULL,
  started_ms INTEGER NOT NULL
) STRICT;

-- answers: 26 bytes each, big-endian: batch 8, topic 4, partition 2, first seq 8, count 4.
CREATE TABLE producers (
  id      BLOB PRIMARY KEY,
  epoch   INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  answers BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- For people: sqlite3 -readonly FILE 'SELECT * FROM job_list LIMIT 10'
CREATE VIEW job_list AS
  SELECT t.name || '/' || p.partition || '/' || (j.id & 0x7fffffffff) AS job,
         CASE WHEN l.id IS NOT NULL THEN 'running'
              WHEN j.due_ms > unixepoch() * 1000 AND j.state = 4 THEN 'retryable'
              WHEN j.due_ms > unixepoch() * 1000 THEN 'scheduled'
              ELSE 'available' END AS state,
         (j.id >> 39) & 15 AS priority, j.attempt, j.attempts_max, j.deaths,
         datetime(j.enqueued_ms / 1000, 'unixepoch') AS enqueued,
         datetime(j.due_ms / 1000, 'unixepoch') AS due,
         j.key, j.error, length(j.payload) AS payload_bytes
    FROM jobs j JOIN partitions p ON p.slot = j.id >> 43 JOIN topics t ON t.id = p.topic_id
         LEFT JOIN leases l ON l.id = j.id;

CREATE VIEW finished_list AS
  SELECT t.name || '/' || p.partition || '/' || (f.id & 0x7fffffffff) AS job,
         CASE f.state WHEN 5 THEN 'completed' WHEN 6 THEN 'cancelled' ELSE 'dead' END AS state,
         CASE f.reason WHEN 1 THEN 'exhausted' WHEN 2 THEN 'discarded' WHEN 3 THEN 'expired'
                       WHEN 4 THEN 'quarantined' END AS reason,
         f.attempt, f.deaths, datetime(f.finished_ms / 1000, 'unixepoch') AS finished,
         f.worker, f.error, length(f.payload) AS payload_bytes
    FROM finished f JOIN partitions p ON p.slot = f.id >> 43 JOIN topics t ON t.id = p.topic_id;
