CREATE TABLE refunds (
    id TEXT NOT NULL,
    order_reference TEXT NOT NULL,
    wanted_amount BIGINT,
    wanted_lines JSONB,
    restock BOOLEAN DEFAULT false NOT NULL,
    reason TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    status TEXT DEFAULT 'requested' NOT NULL,
    amount BIGINT,
    currency TEXT,
    lines JSONB,
    checkout_id TEXT,
    attempt_id TEXT,
    gateway TEXT,
    gateway_payment_id TEXT,
    restocked INTEGER DEFAULT 0 NOT NULL,
    failure JSONB,
    gateway_code TEXT,
    gateway_detail TEXT,
    created_at timestamptz DEFAULT now() NOT NULL,
    reserved_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT pk_refunds PRIMARY KEY (id),
    CONSTRAINT fk_refunds_order_reference FOREIGN KEY (order_reference) REFERENCES orders (reference),
    CONSTRAINT ck_refunds_status CHECK (status IN ('requested', 'pending', 'refunded', 'refused')),
    CONSTRAINT ck_refunds_amount CHECK (amount > 0),
    CONSTRAINT ck_refunds_decided CHECK (amount IS NOT NULL OR status IN ('requested', 'refused'))
);
CREATE INDEX ix_refunds_order_reference ON refunds (order_reference, created_at);

-- A checkout restocks once; a refund after the sale once for itself, and an order may have several.
ALTER TABLE stock_movements ADD COLUMN refund_id TEXT;
ALTER TABLE stock_movements ADD CONSTRAINT fk_stock_movements_refund_id
    FOREIGN KEY (refund_id) REFERENCES refunds (id);
DROP INDEX uq_stock_movements_once;
CREATE UNIQUE INDEX uq_stock_movements_once ON stock_movements (checkout_id, variant_id, warehouse_id, kind)
    WHERE checkout_id IS NOT NULL AND refund_id IS NULL;
CREATE UNIQUE INDEX uq_stock_movements_refund ON stock_movements (refund_id, variant_id, warehouse_id)
    WHERE refund_id IS NOT NULL;

-- Late money of a bank transfer is looked for long after the transfer was begun.
CREATE INDEX ix_payment_attempts_transfers ON payment_attempts (created_at) WHERE method = 'bank_transfer';
