-- Not in the write-ahead log: after a crash of the server everybody may begin to count anew.
CREATE UNLOGGED TABLE rate_limit_hits (
    key TEXT NOT NULL,
    hits timestamptz[] NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_rate_limit_hits PRIMARY KEY (key)
);
CREATE INDEX ix_rate_limit_hits_expires_at ON rate_limit_hits (expires_at);
