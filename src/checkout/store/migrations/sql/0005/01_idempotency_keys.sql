CREATE TABLE idempotency_keys (
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    runs INTEGER DEFAULT 1 NOT NULL,
    holder TEXT NOT NULL,
    lease_until timestamptz NOT NULL,
    status INTEGER,
    headers JSONB DEFAULT '{}' NOT NULL,
    body TEXT,
    created_at timestamptz DEFAULT now() NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (subject, key),
    CONSTRAINT ck_idempotency_keys_answer CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX ix_idempotency_keys_expires_at ON idempotency_keys (expires_at);
