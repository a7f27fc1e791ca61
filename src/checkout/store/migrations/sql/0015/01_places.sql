-- Who runs how many checkouts: a place is taken before a checkout is begun, and free once it is closed.

CREATE TABLE checkout_places (
    checkout_id TEXT NOT NULL,
    cart_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    address TEXT NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT pk_checkout_places PRIMARY KEY (checkout_id)
);
CREATE INDEX ix_checkout_places_address ON checkout_places (address);
CREATE INDEX ix_checkout_places_cart_id ON checkout_places (cart_id);
CREATE INDEX ix_checkout_places_expires_at ON checkout_places (expires_at);
CREATE INDEX ix_checkout_places_subject ON checkout_places (subject);

-- A place counts as long as its checkout has a row that is open; without a row, until its time is over.
CREATE FUNCTION place_counts(place checkout_places) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        (SELECT state NOT IN ('completed', 'failed', 'expired', 'cancelled') FROM checkouts WHERE id = place.checkout_id),
        place.expires_at > now()
    )
$$;

-- Takes a place for a checkout, unless the visitor or his address has as many carts in checkout as it may: then it
-- says which (`full_of`) and when the first of them ends at the latest. NULL for a maximum: any number. A cart that has a
-- place already is not counted again: at most one of its checkouts runs.
CREATE FUNCTION take_checkout_place(
    the_checkout text, the_cart text, the_subject text, the_address text, seconds integer,
    most integer, most_of_address integer
) RETURNS TABLE (full_of text, frees_at timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    -- NULL where nothing is counted: LEAST and GREATEST then take the other.
    mine bigint := CASE WHEN most IS NOT NULL THEN hashtextextended('checkout place ' || the_subject, 0) END;
    here bigint := CASE WHEN most_of_address IS NOT NULL THEN hashtextextended('checkout place ' || the_address, 0) END;
BEGIN
    -- Those who come at once are counted one after the other; what each statement below sees is newer than the locks.
    PERFORM pg_advisory_xact_lock(LEAST(mine, here));
    PERFORM pg_advisory_xact_lock(GREATEST(mine, here));

    WITH old AS (
        SELECT p.checkout_id, place_counts(p) AS counts FROM checkout_places p
        WHERE p.expires_at < now() ORDER BY p.expires_at LIMIT 5 FOR UPDATE SKIP LOCKED
    ), looked_at AS (
        UPDATE checkout_places p SET expires_at = now() + interval '1 hour'
        FROM old WHERE old.checkout_id = p.checkout_id AND old.counts
    )
    DELETE FROM checkout_places p USING old WHERE old.checkout_id = p.checkout_id AND NOT old.counts;

    IF NOT EXISTS (SELECT FROM checkout_places p WHERE p.cart_id = the_cart AND place_counts(p)) THEN
        RETURN QUERY
            SELECT 'subject', min(COALESCE(k.expires_at, p.expires_at))
            FROM checkout_places p LEFT JOIN checkouts k ON k.id = p.checkout_id
            WHERE p.subject = the_subject AND place_counts(p)
            HAVING count(DISTINCT p.cart_id) >= most
            UNION ALL
            SELECT 'address', min(COALESCE(k.expires_at, p.expires_at))
            FROM checkout_places p LEFT JOIN checkouts k ON k.id = p.checkout_id
            WHERE p.address = the_address AND place_counts(p)
            HAVING count(DISTINCT p.cart_id) >= most_of_address
            LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    INSERT INTO checkout_places (checkout_id, cart_id, subject, address, expires_at)
    VALUES (the_checkout, the_cart, the_subject, the_address, now() + make_interval(secs => seconds))
    ON CONFLICT (checkout_id) DO NOTHING;
END $$;

CREATE FUNCTION leave_checkout_place() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM checkout_places WHERE checkout_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER leave_place
    AFTER UPDATE OF state ON checkouts FOR EACH ROW
    WHEN (NEW.state IN ('completed', 'failed', 'expired', 'cancelled'))
    EXECUTE FUNCTION leave_checkout_place();
