-- A cart that a checkout holds (CK423), or that is an order (CK409), cannot be changed, by whatever code path.
-- Each trigger reads the cart's row under its lock, so that a change and a start that meet are one after the other.

CREATE FUNCTION refuse_closed_cart(cart_id text, locked_by text, order_reference text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF order_reference IS NOT NULL THEN
        RAISE EXCEPTION 'cart % is order %', cart_id, order_reference USING ERRCODE = 'CK409', DETAIL = order_reference;
    ELSIF locked_by IS NOT NULL THEN
        RAISE EXCEPTION 'cart % is held by checkout %', cart_id, locked_by USING ERRCODE = 'CK423', DETAIL = locked_by;
    END IF;
END $$;

-- The row that an UPDATE meets is already locked and current: READ COMMITTED waits for who held it, then looks again.
CREATE FUNCTION protect_cart() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM refuse_closed_cart(OLD.id, OLD.locked_by, OLD.order_reference);
        RETURN OLD;
    END IF;
    PERFORM refuse_closed_cart(OLD.id, OLD.locked_by, OLD.order_reference);
    RETURN NEW;
END $$;

CREATE TRIGGER protect_content
    BEFORE UPDATE ON carts FOR EACH ROW
    WHEN ((OLD.session_id, OLD.customer_id, OLD.currency, OLD.email, OLD.coupon_code, OLD.shipping_option, OLD.id)
        IS DISTINCT FROM
        (NEW.session_id, NEW.customer_id, NEW.currency, NEW.email, NEW.coupon_code, NEW.shipping_option, NEW.id))
    EXECUTE FUNCTION protect_cart();
CREATE TRIGGER protect_row
    BEFORE DELETE ON carts FOR EACH ROW EXECUTE FUNCTION protect_cart();

CREATE FUNCTION protect_cart_part() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    cart record;
BEGIN
    FOR cart IN
        SELECT id, locked_by, order_reference FROM carts
        WHERE id = OLD.cart_id OR id = NEW.cart_id
        ORDER BY id
        FOR NO KEY UPDATE
    LOOP
        PERFORM refuse_closed_cart(cart.id, cart.locked_by, cart.order_reference);
    END LOOP;
    RETURN COALESCE(NEW, OLD);
END $$;

CREATE TRIGGER protect_lines
    BEFORE INSERT OR UPDATE OR DELETE ON cart_lines FOR EACH ROW EXECUTE FUNCTION protect_cart_part();
CREATE TRIGGER protect_addresses
    BEFORE INSERT OR UPDATE OR DELETE ON cart_addresses FOR EACH ROW EXECUTE FUNCTION protect_cart_part();

-- TRUNCATE fires no row triggers, so it has no way to ask each cart.
CREATE FUNCTION refuse_truncate() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% cannot be truncated: a checkout may hold one of its carts', TG_TABLE_NAME USING ERRCODE = 'CK423';
END $$;

CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON carts EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON cart_lines EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON cart_addresses EXECUTE FUNCTION refuse_truncate();

-- When a price changed, whoever wrote it: a start with another total than expected says which lines moved.

CREATE FUNCTION note_price_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE TRIGGER note_change
    BEFORE UPDATE ON prices FOR EACH ROW
    WHEN (OLD.amount IS DISTINCT FROM NEW.amount) EXECUTE FUNCTION note_price_change();

-- Every change of a checkout gives it the next version, and tells who listens; delivered when the change is committed.

CREATE FUNCTION next_checkout_version() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE FUNCTION notify_checkout_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('checkout_changed', json_build_object('id', NEW.id, 'version', NEW.version)::text);
    RETURN NULL;
END $$;

CREATE TRIGGER next_version
    BEFORE UPDATE ON checkouts FOR EACH ROW EXECUTE FUNCTION next_checkout_version();
CREATE TRIGGER notify_changed
    AFTER INSERT OR UPDATE ON checkouts FOR EACH ROW EXECUTE FUNCTION notify_checkout_changed();
