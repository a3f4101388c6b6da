-- The last publication of a channel that was deleted because it had grown too old for the history: a subscriber is told
-- that it misses it. Unlike `trimmed` it is no bound: an older one may have been given more time.
ALTER TABLE history ADD COLUMN aged INTEGER NOT NULL DEFAULT 0;
