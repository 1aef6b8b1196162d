-- Requests that changed something and carried an id, so that one which is sent again is answered again. kind: 0 topic
-- made, 1 paused, 2 resumed, 3 job cancelled, 4 dead jobs requeued, 5 purged. value and more: the answer.
CREATE TABLE requests (
  id    BLOB PRIMARY KEY,
  kind  INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  value INTEGER NOT NULL,
  more  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
