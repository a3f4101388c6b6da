-- Up to here numbers may have been given, and synced is that: what was committed without being synced may be lost with the
-- power, and numbers that clients have seen must not be given to other publications then.
ALTER TABLE log ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
