CREATE TABLE payment_attempts (
    id TEXT NOT NULL,
    checkout_id TEXT NOT NULL,
    cart_id TEXT NOT NULL,
    number INTEGER,
    method TEXT NOT NULL,
    token TEXT,
    gateway TEXT NOT NULL,
    gateway_payment_id TEXT,
    status TEXT DEFAULT 'new' NOT NULL,
    amount BIGINT,
    currency TEXT,
    authorized BIGINT DEFAULT 0 NOT NULL,
    captured BIGINT DEFAULT 0 NOT NULL,
    refunded BIGINT DEFAULT 0 NOT NULL,
    code TEXT,
    message TEXT,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_payment_attempts PRIMARY KEY (id),
    CONSTRAINT ck_payment_attempts_status CHECK (
        status IN ('new', 'created', 'requires_action', 'pending', 'authorized', 'declined', 'captured',
            'voided', 'refunded', 'discarded')
    ),
    CONSTRAINT ck_payment_attempts_amounts CHECK (
        authorized >= 0 AND captured >= 0 AND refunded >= 0 AND refunded <= captured
    )
);
CREATE INDEX ix_payment_attempts_cart_id ON payment_attempts (cart_id);
CREATE INDEX ix_payment_attempts_checkout_id ON payment_attempts (checkout_id, number);
CREATE UNIQUE INDEX uq_payment_attempts_gateway_payment_id ON payment_attempts (gateway, gateway_payment_id)
    WHERE gateway_payment_id IS NOT NULL;
