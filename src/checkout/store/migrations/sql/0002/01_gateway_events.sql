CREATE TABLE gateway_events (
    gateway TEXT NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    payment_id TEXT,
    created_at timestamptz NOT NULL,
    received_at timestamptz DEFAULT now() NOT NULL,
    done_at timestamptz,
    CONSTRAINT pk_gateway_events PRIMARY KEY (gateway, event_id)
);
CREATE INDEX ix_gateway_events_received_at ON gateway_events (received_at);
CREATE INDEX ix_gateway_events_payment_id ON gateway_events (payment_id, created_at);

CREATE TABLE unowed_money (
    gateway TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    returned_until BIGINT NOT NULL,
    checkout_id TEXT NOT NULL,
    attempt_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    returned_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_unowed_money PRIMARY KEY (gateway, payment_id, returned_until),
    CONSTRAINT ck_unowed_money_amount CHECK (amount > 0 AND amount <= returned_until)
);
CREATE INDEX ix_unowed_money_checkout_id ON unowed_money (checkout_id);
