-- Those that run, in the order of their list: whatever filter is put on them, so few are read whole.
DROP INDEX ix_checkouts_open;
CREATE INDEX ix_checkouts_open ON checkouts (created_at, id)
    WHERE state NOT IN ('completed', 'failed', 'expired', 'cancelled');
