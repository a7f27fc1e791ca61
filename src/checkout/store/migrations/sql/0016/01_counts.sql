CREATE TABLE minute_counts (
    minute timestamptz NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT pk_minute_counts PRIMARY KEY (minute, name)
);

-- What is shown of a checkout has its order's status in it: who keeps the one is told of the other. A refund, and what
-- makes an order paid, write the checkout's row as well.
CREATE FUNCTION notify_order_cancelled() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('checkout_changed', json_build_object('id', k.id, 'version', k.version)::text)
    FROM checkouts k WHERE k.id = NEW.checkout_id;
    RETURN NULL;
END $$;

CREATE TRIGGER notify_cancelled
    AFTER UPDATE OF status ON orders FOR EACH ROW
    WHEN (NEW.status = 'cancelled')
    EXECUTE FUNCTION notify_order_cancelled();
