-- The log, what is derived from it, and the sessions. Times are milliseconds since 1970, channels and patterns UTF-8.

-- One row: what this log is called. The epoch changes when the log starts anew; it is also the origin's name where
-- brokers exchange publications.
CREATE TABLE log (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    epoch          TEXT    NOT NULL,
    last_sequence  INTEGER NOT NULL
) STRICT;

-- Every stored publication, once, whatever the number of subscribers.
CREATE TABLE publication (
    sequence         INTEGER PRIMARY KEY,
    channel          TEXT    NOT NULL,
    data             BLOB    NOT NULL,
    published_at     INTEGER NOT NULL,
    expires_at       INTEGER,
    -- Where it was published first: NULL means here.
    origin_epoch     TEXT,
    origin_sequence  INTEGER
) STRICT;

-- The retained message of each channel that has one. `parent` is the channel up to its last slash, that included: with
-- it a pattern `/a/*` reads only what it matches, as `/a/**` does with a range of the primary key.
CREATE TABLE retained (
    channel   TEXT    PRIMARY KEY,
    parent    TEXT    NOT NULL,
    sequence  INTEGER NOT NULL REFERENCES publication (sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX retained_by_parent ON retained (parent);

-- Clients that have subscribed to something and may come back.
CREATE TABLE session (
    id          INTEGER PRIMARY KEY,
    client_id   TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE subscription (
    session_id  INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    pattern     TEXT    NOT NULL,
    PRIMARY KEY (session_id, pattern)
) STRICT, WITHOUT ROWID;
