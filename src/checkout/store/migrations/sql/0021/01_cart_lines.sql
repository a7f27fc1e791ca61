-- A cart has so many lines at most (CK422; the number is MAX_LINES of domain/pricing/model.py), by whatever code path.
-- The cart's row is locked first: of lines that come at once each is counted by the next.
CREATE FUNCTION limit_cart_lines() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    most CONSTANT integer := 500;
BEGIN
    PERFORM FROM carts WHERE id = NEW.cart_id FOR NO KEY UPDATE;
    IF (SELECT count(*) FROM cart_lines WHERE cart_id = NEW.cart_id AND variant_id <> NEW.variant_id) >= most THEN
        RAISE EXCEPTION 'cart % has % lines', NEW.cart_id, most USING ERRCODE = 'CK422', DETAIL = most;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER limit_lines
    BEFORE INSERT ON cart_lines FOR EACH ROW EXECUTE FUNCTION limit_cart_lines();
