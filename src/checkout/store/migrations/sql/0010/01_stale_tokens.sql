CREATE INDEX ix_payment_attempts_token ON payment_attempts (created_at) WHERE token IS NOT NULL;
