-- The start of the broker (meta 'epoch') in which a session subscribed, after the answer to its HELLO; 0: not yet.
-- Only a session of the start before this one may claim a delivery that has no row.
ALTER TABLE sessions ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
