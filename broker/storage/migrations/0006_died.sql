-- When the last death of a worker was that counted towards quarantine: the next counts if it is a minute later.
ALTER TABLE jobs ADD COLUMN died_ms INTEGER;
