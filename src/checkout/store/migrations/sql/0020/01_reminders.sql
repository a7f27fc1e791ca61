-- Of which carts buyers were reminded (store/reminders.py).
CREATE TABLE cart_reminders (
    cart_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    reminded_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_cart_reminders PRIMARY KEY (cart_id),
    CONSTRAINT fk_cart_reminders_cart_id FOREIGN KEY (cart_id) REFERENCES carts (id) ON DELETE CASCADE
);
