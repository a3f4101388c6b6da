-- Whether a publication that is deleted is retained still is looked up by this, not sought among all that are.
CREATE INDEX retained_by_sequence ON retained (sequence);
