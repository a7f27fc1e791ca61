CREATE TABLE carts (
    id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    customer_id TEXT,
    currency TEXT NOT NULL,
    email TEXT,
    coupon_code TEXT,
    shipping_option TEXT,
    locked_by TEXT,
    checkout_id TEXT,
    order_reference TEXT,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_carts PRIMARY KEY (id)
);
CREATE INDEX ix_carts_customer_id ON carts (customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX ix_carts_session_id ON carts (session_id);

CREATE TABLE cart_lines (
    cart_id TEXT NOT NULL,
    variant_id BIGINT NOT NULL,
    quantity INTEGER NOT NULL,
    position INTEGER NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_cart_lines PRIMARY KEY (cart_id, variant_id),
    CONSTRAINT ck_cart_lines_quantity CHECK (quantity BETWEEN 1 AND 999),
    CONSTRAINT fk_cart_lines_cart_id FOREIGN KEY (cart_id) REFERENCES carts (id) ON DELETE CASCADE,
    CONSTRAINT fk_cart_lines_variant_id FOREIGN KEY (variant_id) REFERENCES variants (id)
);
CREATE INDEX ix_cart_lines_variant_id ON cart_lines (variant_id);

CREATE TABLE cart_addresses (
    cart_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    line1 TEXT NOT NULL,
    line2 TEXT,
    city TEXT NOT NULL,
    region TEXT,
    postal_code TEXT NOT NULL,
    country TEXT NOT NULL,
    CONSTRAINT pk_cart_addresses PRIMARY KEY (cart_id, kind),
    CONSTRAINT ck_cart_addresses_kind CHECK (kind IN ('shipping', 'billing')),
    CONSTRAINT fk_cart_addresses_cart_id FOREIGN KEY (cart_id) REFERENCES carts (id) ON DELETE CASCADE
);
