-- Jobs that arrived together and are alike share a row: available at once, without a key or headers, and
-- never ended a run. Job i of a pack, counted from 0, has the key id + i (as in jobs), and its payload ends at
-- byte ends[i] of payloads (ends is a JSON array). A pack is written once and deleted once.
CREATE TABLE packs (
  id           INTEGER PRIMARY KEY,
  count        INTEGER NOT NULL,
  attempts_max INTEGER NOT NULL,
  enqueued_ms  INTEGER NOT NULL,
  ends         TEXT NOT NULL,
  payloads     BLOB NOT NULL
) STRICT;

-- The jobs that have left their pack, as bits: bit i is job i. Such a job has ended, or has a row of jobs
-- now. No row: none has left. When the last one leaves, both rows are deleted.
CREATE TABLE pack_gaps (
  id   INTEGER PRIMARY KEY,
  gone INTEGER NOT NULL
) STRICT;

-- Every live job in the shape of jobs, wherever it is stored.
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

-- Two halves, each joined by itself: a join with live_jobs would gather all of them first.
DROP VIEW job_list;
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
