-- Outgoing webhooks (store/tables/webhooks.py).
CREATE TABLE webhook_endpoints (
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    events TEXT[] DEFAULT '{}' NOT NULL,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_until timestamptz,
    enabled BOOLEAN DEFAULT true NOT NULL,
    disabled_reason TEXT,
    failing_since timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id)
);

CREATE TABLE webhook_deliveries (
    id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event TEXT NOT NULL,
    checkout_id TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT DEFAULT 'pending' NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    failing_since timestamptz,
    next_try_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    ended_at timestamptz,
    CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
    CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY (endpoint_id)
        REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    CONSTRAINT ck_webhook_deliveries_status CHECK (status IN ('pending', 'delivered', 'failed'))
);
CREATE UNIQUE INDEX uq_webhook_deliveries_once ON webhook_deliveries (event_id, endpoint_id);
CREATE INDEX ix_webhook_deliveries_endpoint_id ON webhook_deliveries (endpoint_id, created_at, id);
CREATE INDEX ix_webhook_deliveries_created_at ON webhook_deliveries (created_at, id);
CREATE INDEX ix_webhook_deliveries_pending ON webhook_deliveries (failing_since) WHERE status = 'pending';

CREATE TABLE webhook_attempts (
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    status INTEGER,
    milliseconds INTEGER,
    response TEXT,
    error TEXT,
    CONSTRAINT pk_webhook_attempts PRIMARY KEY (delivery_id, number),
    CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY (delivery_id)
        REFERENCES webhook_deliveries (id) ON DELETE CASCADE
);

CREATE TABLE listener_troubles (
    delivery_id TEXT NOT NULL,
    listener TEXT NOT NULL,
    event TEXT NOT NULL,
    checkout_id TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    failing_since timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_listener_troubles PRIMARY KEY (delivery_id)
);
CREATE INDEX ix_listener_troubles_failing_since ON listener_troubles (failing_since);
