CREATE TABLE orders (
    reference TEXT NOT NULL,
    checkout_id TEXT NOT NULL,
    cart_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    customer_id TEXT,
    status TEXT DEFAULT 'pending' NOT NULL,
    currency TEXT NOT NULL,
    sub_total BIGINT NOT NULL,
    discount_total BIGINT NOT NULL,
    shipping_total BIGINT NOT NULL,
    tax_total BIGINT NOT NULL,
    total BIGINT NOT NULL,
    coupon_code TEXT,
    shipping_option TEXT,
    email TEXT NOT NULL,
    shipping_address JSONB DEFAULT '{}' NOT NULL,
    billing_address JSONB,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    paid_at timestamptz,
    cancelled_at timestamptz,
    CONSTRAINT pk_orders PRIMARY KEY (reference),
    CONSTRAINT ck_orders_status CHECK (
        status IN ('pending', 'paid', 'cancelled', 'partially_refunded', 'refunded')
    ),
    CONSTRAINT ck_orders_total CHECK (total = sub_total - discount_total + shipping_total + tax_total),
    CONSTRAINT uq_orders_checkout_id UNIQUE (checkout_id),
    CONSTRAINT fk_orders_checkout_id FOREIGN KEY (checkout_id) REFERENCES checkouts (id),
    CONSTRAINT fk_orders_cart_id FOREIGN KEY (cart_id) REFERENCES carts (id)
);
CREATE INDEX ix_orders_customer_id ON orders (customer_id, created_at) WHERE customer_id IS NOT NULL;
CREATE INDEX ix_orders_session_id ON orders (session_id, created_at);
CREATE UNIQUE INDEX uq_orders_one_for_a_cart ON orders (cart_id) WHERE status <> 'cancelled';

CREATE TABLE order_lines (
    order_reference TEXT NOT NULL,
    variant_id BIGINT NOT NULL,
    position INTEGER NOT NULL,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    unit_price BIGINT NOT NULL,
    sub_total BIGINT NOT NULL,
    discount_total BIGINT NOT NULL,
    tax_total BIGINT NOT NULL,
    total BIGINT NOT NULL,
    CONSTRAINT pk_order_lines PRIMARY KEY (order_reference, variant_id),
    CONSTRAINT fk_order_lines_order_reference
        FOREIGN KEY (order_reference) REFERENCES orders (reference) ON DELETE CASCADE
);
