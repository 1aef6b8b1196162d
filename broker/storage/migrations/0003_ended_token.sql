-- The token of the last run that ended and was written down, so that a worker which missed the answer
-- cannot claim that run again after a restart.
ALTER TABLE jobs ADD COLUMN ended_token INTEGER;
