-- "Fanf": this database is a broker's.
PRAGMA application_id = 0x46616e66;

-- The log: every stored publication is appended once; histories and retained messages point into it. A row stays until
-- no history and no retained message needs it any more, and no publisher can still repeat it.

-- By what a repeated publication is known: its session's client id and a hash of its id, channel and data, or the
-- `Idempotency-Key` with what the answer called the publication.
ALTER TABLE publication ADD COLUMN client_id TEXT;
ALTER TABLE publication ADD COLUMN fingerprint INTEGER;
ALTER TABLE publication ADD COLUMN idempotency_key TEXT;
ALTER TABLE publication ADD COLUMN receipt TEXT;

-- The channels that have a history: how many publications it holds, and the last one that left it.
CREATE TABLE history (
    channel            TEXT     PRIMARY KEY,
    parent             TEXT     NOT NULL,
    publication_count  INTEGER  NOT NULL,
    trimmed            INTEGER  NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX history_by_parent ON history (parent);
-- The parent of a channel is what is left of it without the characters behind its last slash.
INSERT INTO history (channel, parent, publication_count, trimmed)
    SELECT channel, rtrim(channel, replace(channel, '/', '')), count(*),
        ifnull((SELECT sequence FROM trimmed WHERE trimmed.channel = publication.channel), 0)
    FROM publication WHERE history_until IS NOT NULL GROUP BY channel;
DROP TABLE trimmed;

-- Up to where in the log the client is known to have everything, and whether it uses the acknowledgement extension.
ALTER TABLE session ADD COLUMN cursor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN acknowledges INTEGER NOT NULL DEFAULT 0;
UPDATE session SET cursor = (SELECT last_sequence FROM log);

-- With the time in the index, what has grown too old is passed over without a look at the publication.
DROP INDEX publication_in_history;
CREATE INDEX publication_in_history ON publication (channel, sequence, history_until) WHERE history_until IS NOT NULL;

-- The end of the log when the subscription was made: what is older is none of its business.
ALTER TABLE subscription ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
