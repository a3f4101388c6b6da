-- What a subscription asked for of the past, until all of it is known to have arrived: a broker that was killed in the
-- middle of a replay goes on with it.

-- As a client asks for it: NULL for the retained messages, -2 for all there is, or the number that it has.
ALTER TABLE subscription ADD COLUMN replay INTEGER;
-- Up to here it has arrived.
ALTER TABLE subscription ADD COLUMN replay_after INTEGER;
-- The end of the log when it was asked for; NULL when nothing is wanting.
ALTER TABLE subscription ADD COLUMN replay_through INTEGER;
-- The replays of a session come one after the other, in the order of these numbers.
ALTER TABLE subscription ADD COLUMN replay_part INTEGER;
