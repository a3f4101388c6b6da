-- History: the tail of a channel's publications that can be read again.

-- Until when a publication belongs to its channel's history; NULL when it never did, or does no longer. It stays in the
-- log for as long as it is in the history or retained.
ALTER TABLE publication ADD COLUMN history_until INTEGER;
CREATE INDEX publication_in_history ON publication (channel, sequence) WHERE history_until IS NOT NULL;

-- 1 when the data is CometD's form of binary data.
ALTER TABLE publication ADD COLUMN is_binary INTEGER NOT NULL DEFAULT 0;

-- The last publication of each channel that left its history, so that a subscriber can be told what it misses.
CREATE TABLE trimmed (
    channel   TEXT     PRIMARY KEY,
    sequence  INTEGER  NOT NULL
) STRICT, WITHOUT ROWID;
