-- A file as version 6 of the schema left it, with a row of every kind; never edited.
-- Made by sqlite3 .dump. A later version has to bring it up to date.
BEGIN TRANSACTION;
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
INSERT INTO finished VALUES(11544872091650,1,7,1,25,25,0,1700000000000,1700000002000,1700000003000,NULL,NULL,'gave up','worker-a',NULL,X'7061796c6f616420312f32');
INSERT INTO finished VALUES(11544872091651,1,5,0,1,25,0,1700000000000,1700000002000,1700000004000,NULL,NULL,NULL,'worker-a',X'32303078313530',X'7061796c6f616420312f33');
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
, ended_token INTEGER, died_ms INTEGER) STRICT;
INSERT INTO jobs VALUES(1,2,0,25,0,1700000000000,NULL,NULL,NULL,NULL,X'7061796c6f616420302f31',NULL,NULL);
INSERT INTO jobs VALUES(2748779069442,0,0,25,0,1700000000000,1700000360000,'user-7',X'81a16801',NULL,X'7061796c6f616420302f32',NULL,NULL);
INSERT INTO jobs VALUES(11544872091649,4,2,25,1,1700000000000,1700000020000,NULL,NULL,'no such file',X'7061796c6f616420312f31',1099511627780,NULL);
CREATE TABLE leases (
  id         INTEGER PRIMARY KEY,
  session    BLOB NOT NULL,
  token      INTEGER NOT NULL,
  started_ms INTEGER NOT NULL
) STRICT;
INSERT INTO leases VALUES(1,X'01020300000000000000000000000000',1099511627781,1700000001000);
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value ANY
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('epoch',1);
CREATE TABLE pack_gaps (
  id   INTEGER PRIMARY KEY,
  gone INTEGER NOT NULL
) STRICT;
INSERT INTO pack_gaps VALUES(11544872092161,1);
CREATE TABLE packs (
  id           INTEGER PRIMARY KEY,
  count        INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  enqueued_ms  INTEGER NOT NULL,
  ends         TEXT NOT NULL,
  payloads     BLOB NOT NULL
) STRICT;
INSERT INTO packs VALUES(11544872092161,2,25,1700000000000,'[1,3]',X'616263');
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
INSERT INTO partitions VALUES(0,1,0,3,2,1,0,0,2,0,0,0,0);
INSERT INTO partitions VALUES(1,1,1,4,1,0,1,1,3,1,0,2,1);
CREATE TABLE producers (
  id      BLOB PRIMARY KEY,
  epoch   INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  answers BLOB NOT NULL
, answered INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO producers VALUES(X'09080700000000000000000000000000',3,1700000000123,X'0000000000000029000000010000000000000000000100000002000000000000002a000000010001000000000000000100000003',40);
CREATE TABLE sessions (
  id   BLOB PRIMARY KEY,
  name TEXT NOT NULL
, epoch INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO sessions VALUES(X'01020300000000000000000000000000','worker-a',1);
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
INSERT INTO topics VALUES(1,'thumbnails',1,2,25,1000,86400000,0,1,86400000,15552000000,10000);
CREATE INDEX jobs_due ON jobs (id >> 43, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX finished_by_age ON finished (topic_id, state, finished_ms);
CREATE VIEW finished_list AS
  SELECT t.name || '/' || p.partition || '/' || (f.id & 0x7fffffffff) AS job,
         CASE f.state WHEN 5 THEN 'completed' WHEN 6 THEN 'cancelled' ELSE 'dead' END AS state,
         CASE f.reason WHEN 1 THEN 'exhausted' WHEN 2 THEN 'discarded' WHEN 3 THEN 'expired'
                       WHEN 4 THEN 'quarantined' END AS reason,
         f.attempt, f.deaths, datetime(f.finished_ms / 1000, 'unixepoch') AS finished,
         f.worker, f.error, length(f.payload) AS payload_bytes
    FROM finished f JOIN partitions p ON p.slot = f.id >> 43 JOIN topics t ON t.id = p.topic_id;
CREATE VIEW live_jobs AS
  SELECT id, state, attempt, attempts_max, deaths, enqueued_ms, due_ms, key, headers, error, payload,
         ended_token
    FROM jobs
  UNION ALL
  SELECT p.id + e.key, 2, 0, p.attempts_max, 0, p.enqueued_ms, NULL, NULL, NULL, NULL,
         substr(p.payloads, iif(e.key = 0, 0, json_extract(p.ends, '$[' || (e.key - 1) || ']')) + 1,
                e.value - iif(e.key = 0, 0, json_extract(p.ends, '$[' || (e.key - 1) || ']'))),
         NULL
    FROM packs p JOIN json_each(p.ends) e LEFT JOIN pack_gaps g ON g.id = p.id
   WHERE coalesce(g.gone, 0) >> e.key & 1 = 0;
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
         LEFT JOIN leases l ON l.id = j.id
  UNION ALL
  SELECT t.name || '/' || p.partition || '/' || ((k.id & 0x7fffffffff) + e.key),
         iif(l.id IS NULL, 'available', 'running'),
         (k.id >> 39) & 15, 0, k.attempts_max, 0,
         datetime(k.enqueued_ms / 1000, 'unixepoch'), NULL, NULL, NULL,
         e.value - iif(e.key = 0, 0, json_extract(k.ends, '$[' || (e.key - 1) || ']'))
    FROM packs k JOIN partitions p ON p.slot = k.id >> 43 JOIN topics t ON t.id = p.topic_id
         LEFT JOIN pack_gaps g ON g.id = k.id JOIN json_each(k.ends) e
         LEFT JOIN leases l ON l.id = k.id + e.key
   WHERE coalesce(g.gone, 0) >> e.key & 1 = 0;
PRAGMA application_id=1296649292; PRAGMA user_version=6;
COMMIT;
