-- Both rules as they were, by indexes that also find the movements of a checkout, those of its refunds among them, and
-- an attempt by what the gateway calls it: ops look for both, and neither table ever shrinks.
DROP INDEX uq_stock_movements_once;
CREATE UNIQUE INDEX uq_stock_movements_once ON stock_movements (checkout_id, variant_id, warehouse_id, kind, refund_id)
    NULLS NOT DISTINCT WHERE checkout_id IS NOT NULL;

DROP INDEX uq_payment_attempts_gateway_payment_id;
CREATE UNIQUE INDEX uq_payment_attempts_gateway_payment_id ON payment_attempts (gateway_payment_id, gateway)
    WHERE gateway_payment_id IS NOT NULL;
