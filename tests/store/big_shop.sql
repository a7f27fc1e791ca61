-- Thousands of rows in every table that grows, so that the planner decides as it would in a shop that sells.

INSERT INTO products (handle, title)
SELECT 'p' || n, 'P' FROM generate_series(1, 5000) n;

INSERT INTO variants (product_id, sku)
SELECT id, handle FROM products WHERE handle LIKE 'p%';

INSERT INTO prices
SELECT id, 'EUR', 100 FROM variants WHERE sku LIKE 'p%';

INSERT INTO stock (variant_id, warehouse_id, on_hand)
SELECT v.id, w.id, 9 FROM variants v, warehouses w WHERE v.sku LIKE 'p%';

INSERT INTO carts (id, session_id, customer_id, currency)
SELECT 'c' || n, 's' || n, 'u' || n, 'EUR' FROM generate_series(1, 5000) n;

INSERT INTO cart_lines
SELECT c.id, v.id, 1, 1 FROM carts c JOIN variants v ON v.sku = 'p' || substr(c.id, 2);

INSERT INTO cart_addresses
SELECT id, 'shipping', 'n', 'l', NULL, 'c', NULL, 'p', 'DE' FROM carts
WHERE id LIKE 'c%' AND id NOT LIKE 'cart%';

INSERT INTO checkouts (id, cart_id, session_id, customer_id, workflow_id, run_id, state, locked_at)
SELECT 'k' || n, 'c' || n, 's' || n, 'u' || n, 'w', 'r',
    (ARRAY['completed', 'failed', 'awaiting_payment', 'compensating'])[n % 4 + 1], now()
FROM generate_series(1, 5000) n;

INSERT INTO reservations
SELECT 'k' || n, s.variant_id, s.warehouse_id, 1, (ARRAY['held', 'committed', 'released'])[n % 3 + 1]
FROM generate_series(1, 5000) n JOIN variants v ON v.sku = 'p' || n JOIN stock s ON s.variant_id = v.id;

INSERT INTO stock_movements (variant_id, warehouse_id, kind, checkout_id)
SELECT variant_id, warehouse_id, 'reserved', checkout_id FROM reservations ON CONFLICT DO NOTHING;

INSERT INTO price_snapshots (checkout_id, cart_id, currency, sub_total, discount_total, shipping_total,
    shipping_tax_total, tax_total, total)
SELECT id, cart_id, 'EUR', 1, 0, 0, 0, 0, 1 FROM checkouts WHERE id LIKE 'k%';

INSERT INTO price_snapshot_lines (checkout_id, variant_id, position, sku, name, quantity, currency, unit_price,
    sub_total, discount_total, tax_total, total)
SELECT checkout_id, 1, 1, 's', 'n', 1, 'EUR', 1, 1, 0, 0, 1 FROM price_snapshots WHERE checkout_id LIKE 'k%';

INSERT INTO orders (reference, checkout_id, cart_id, session_id, customer_id, status, currency, sub_total,
    discount_total, shipping_total, tax_total, total, email)
SELECT 'o' || id, id, cart_id, session_id, customer_id,
    (ARRAY['paid', 'pending', 'cancelled'])[row_number() OVER () % 3 + 1], 'EUR', 1, 0, 0, 0, 1, 'e'
FROM checkouts WHERE id LIKE 'k%';

INSERT INTO order_lines
SELECT reference, 1, 1, 's', 'n', 1, 1, 1, 0, 0, 1 FROM orders WHERE reference LIKE 'o%';

INSERT INTO refunds (id, order_reference, reason, requested_by, status, amount)
SELECT 'f' || reference, reference, 'r', 'a', 'refunded', 1 FROM orders WHERE reference LIKE 'o%';

INSERT INTO payment_attempts (id, checkout_id, cart_id, method, gateway)
SELECT 'a' || id, id, cart_id, 'card', 'g' FROM checkouts WHERE id LIKE 'k%';

INSERT INTO coupons (code, kind, basis_points)
SELECT 'C' || n, 'percentage', 1 FROM generate_series(1, 5000) n;

INSERT INTO coupon_redemptions (checkout_id, coupon_id, redeemer)
SELECT 'k' || n, id, 'r' || n FROM generate_series(1, 5000) n JOIN coupons ON code = 'C' || n;

INSERT INTO promotion_redemptions (checkout_id, promotion_id, redeemer)
SELECT k.id, p.id, 'r' || k.id FROM checkouts k, promotions p WHERE k.id LIKE 'k%';

INSERT INTO tax_rates (country, region, percent)
SELECT 'X' || n, '', 1 FROM generate_series(1, 5000) n;

INSERT INTO exchange_rates
SELECT 'EUR', 'USD', date '2000-01-01' + n, 1 FROM generate_series(1, 5000) n;

INSERT INTO idempotency_keys (subject, key, fingerprint, holder, lease_until, expires_at)
SELECT 's' || n, 'k', 'f', 'h', now(), now() + n * interval '1 second' FROM generate_series(1, 5000) n;

INSERT INTO checkout_steps (checkout_id, activity, attempts)
SELECT id, 'unlock_cart', 1 FROM checkouts WHERE id LIKE 'k%';

INSERT INTO admin_actions (who, role, action, target)
SELECT 'a', 'operator', 'release', id FROM checkouts WHERE id LIKE 'k%';

INSERT INTO unowed_money (gateway, payment_id, returned_until, checkout_id, attempt_id, amount, currency)
SELECT 'g', 'p' || id, 1, id, 'a' || id, 1, 'EUR' FROM checkouts WHERE id LIKE 'k%';

INSERT INTO rate_limit_hits (key, hits, expires_at)
SELECT 'h' || n, ARRAY[now()], now() + n * interval '1 second' FROM generate_series(1, 5000) n;

INSERT INTO minute_counts (minute, name, number)
SELECT now() - n * interval '1 minute', 'limited', 1 FROM generate_series(1, 10000) n;

INSERT INTO webhook_endpoints (id, url, secret)
SELECT 'w' || n, 'https://shop.example', 's' FROM generate_series(0, 49) n;

INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event, checkout_id, body, status, ended_at, failing_since)
SELECT 'd' || n, 'w' || n % 50, 'e' || n, 'checkout.completed', 'c', '{}',
    CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 100 = 1 THEN 'failed' ELSE 'delivered' END,
    CASE WHEN n % 100 > 0 THEN now() - n * interval '1 minute' END, now() - n * interval '1 minute'
FROM generate_series(1, 10000) n;

INSERT INTO webhook_attempts (delivery_id, number)
SELECT id, 1 FROM webhook_deliveries;

INSERT INTO listener_troubles (delivery_id, listener, event, checkout_id, attempts, error, failing_since)
SELECT 'd' || n, 'l', 'checkout.completed', 'c', 1, 'e', now() - n * interval '1 minute' FROM generate_series(1, 5000) n;

ANALYZE;
