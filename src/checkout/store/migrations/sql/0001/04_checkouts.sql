CREATE TABLE checkouts (
    id TEXT NOT NULL,
    cart_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    customer_id TEXT,
    workflow_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    state TEXT NOT NULL,
    phase TEXT,
    version INTEGER DEFAULT 1 NOT NULL,
    locked_at timestamptz NOT NULL,
    expires_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    completed_at timestamptz,
    failed_at timestamptz,
    currency TEXT,
    total BIGINT,
    on_shortage TEXT DEFAULT 'fail' NOT NULL,
    adjustments JSONB DEFAULT '[]' NOT NULL,
    results JSONB DEFAULT '{}' NOT NULL,
    attempts_left INTEGER DEFAULT 3 NOT NULL,
    attempt_id TEXT,
    payment_method TEXT,
    payment_status TEXT DEFAULT 'none' NOT NULL,
    next_action JSONB,
    last_error JSONB,
    failure JSONB,
    order_reference TEXT,
    CONSTRAINT pk_checkouts PRIMARY KEY (id),
    CONSTRAINT ck_checkouts_state CHECK (
        state IN ('pending', 'validating', 'reserving', 'locking_prices', 'awaiting_payment', 'authorizing',
            'requires_action', 'creating_order', 'awaiting_funds', 'capturing', 'committing', 'completed',
            'compensating', 'failed', 'expired', 'cancelled')
    ),
    CONSTRAINT ck_checkouts_on_shortage CHECK (on_shortage IN ('fail', 'reduce')),
    CONSTRAINT ck_checkouts_payment_status CHECK (
        payment_status IN ('none', 'requires_action', 'pending', 'authorized', 'captured', 'voided', 'refunded')
    ),
    CONSTRAINT fk_checkouts_cart_id FOREIGN KEY (cart_id) REFERENCES carts (id)
);
CREATE INDEX ix_checkouts_cart_id_created_at ON checkouts (cart_id, created_at);
CREATE INDEX ix_checkouts_created_at_id ON checkouts (created_at, id);
CREATE INDEX ix_checkouts_customer_id ON checkouts (customer_id, created_at) WHERE customer_id IS NOT NULL;
CREATE INDEX ix_checkouts_open ON checkouts (expires_at)
    WHERE state NOT IN ('completed', 'failed', 'expired', 'cancelled');
CREATE INDEX ix_checkouts_session_id ON checkouts (session_id, created_at);
CREATE UNIQUE INDEX uq_checkouts_running ON checkouts (cart_id)
    WHERE state NOT IN ('compensating', 'completed', 'failed', 'expired', 'cancelled');
