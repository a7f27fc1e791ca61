-- The log of webhooks is listed by status, and forgets what is old.
CREATE INDEX ix_webhook_deliveries_status ON webhook_deliveries (status, created_at, id);
CREATE INDEX ix_webhook_deliveries_ended_at ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
