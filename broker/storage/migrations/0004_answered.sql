-- The batches up to this one have their answers: the producer will not send them again, and answers holds
-- those of later ones only.
ALTER TABLE producers ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
