-- When something that prices come from changed last, whoever changed it. What was deleted stays known by it.
CREATE TABLE price_changes (
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    about JSONB NOT NULL,
    changed_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_price_changes PRIMARY KEY (kind, rule, about)
);
-- Prices are found by their variants, however many an import has just changed.
CREATE INDEX ix_price_changes_rules ON price_changes (changed_at) WHERE kind <> 'price';

-- Arguments: the kind of change, the column by which the row is known, the columns that say what it is about.
-- A rule that is moved, say from one product to another, concerns both.
CREATE FUNCTION note_price_rule() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO price_changes (kind, rule, about, changed_at)
    SELECT TG_ARGV[0], rule, about, clock_timestamp()
    FROM (
        SELECT DISTINCT version ->> TG_ARGV[1] AS rule,
            (SELECT coalesce(jsonb_agg(version ->> name ORDER BY place), '[]')
                FROM unnest(TG_ARGV[2:]) WITH ORDINALITY AS columns (name, place)) AS about
        FROM (VALUES
            (CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END),
            (CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END)) AS versions (version)
        WHERE version IS NOT NULL) AS concerned
    ON CONFLICT (kind, rule, about) DO UPDATE SET changed_at = excluded.changed_at;
    RETURN NULL;
END $$;

-- The time that the row itself kept is not needed beside it.
DROP TRIGGER note_change ON prices;
DROP FUNCTION note_price_change();

CREATE TRIGGER note_row AFTER INSERT OR DELETE ON prices
    FOR EACH ROW EXECUTE FUNCTION note_price_rule('price', 'variant_id', 'currency');
CREATE TRIGGER note_change AFTER UPDATE ON prices
    FOR EACH ROW WHEN ((OLD.variant_id, OLD.currency, OLD.amount)
        IS DISTINCT FROM (NEW.variant_id, NEW.currency, NEW.amount))
    EXECUTE FUNCTION note_price_rule('price', 'variant_id', 'currency');

CREATE TRIGGER note_row AFTER INSERT OR DELETE ON tax_rates
    FOR EACH ROW EXECUTE FUNCTION note_price_rule('tax', 'id', 'country', 'region', 'tax_class');
CREATE TRIGGER note_change AFTER UPDATE ON tax_rates
    FOR EACH ROW WHEN ((OLD.country, OLD.region, OLD.tax_class, OLD.percent)
        IS DISTINCT FROM (NEW.country, NEW.region, NEW.tax_class, NEW.percent))
    EXECUTE FUNCTION note_price_rule('tax', 'id', 'country', 'region', 'tax_class');
CREATE TRIGGER note_tax_class AFTER UPDATE ON variants
    FOR EACH ROW WHEN (OLD.tax_class IS DISTINCT FROM NEW.tax_class)
    EXECUTE FUNCTION note_price_rule('tax', 'id');

CREATE TRIGGER note_row AFTER INSERT OR DELETE ON shipping_options
    FOR EACH ROW EXECUTE FUNCTION note_price_rule('shipping', 'id', 'country', 'currency');
CREATE TRIGGER note_change AFTER UPDATE ON shipping_options
    FOR EACH ROW WHEN (to_jsonb(OLD) - 'updated_at' - 'name' IS DISTINCT FROM to_jsonb(NEW) - 'updated_at' - 'name')
    EXECUTE FUNCTION note_price_rule('shipping', 'id', 'country', 'currency');
CREATE TRIGGER note_weight AFTER UPDATE ON variants
    FOR EACH ROW WHEN (OLD.weight_grams IS DISTINCT FROM NEW.weight_grams)
    EXECUTE FUNCTION note_price_rule('shipping', 'id');

CREATE TRIGGER note_row AFTER INSERT OR DELETE ON exchange_rates
    FOR EACH ROW EXECUTE FUNCTION note_price_rule('rate', 'base', 'base', 'currency');
CREATE TRIGGER note_change AFTER UPDATE ON exchange_rates
    FOR EACH ROW WHEN ((OLD.base, OLD.currency, OLD.date, OLD.rate)
        IS DISTINCT FROM (NEW.base, NEW.currency, NEW.date, NEW.rate))
    EXECUTE FUNCTION note_price_rule('rate', 'base', 'base', 'currency');

-- A redemption is no change of the discount, unless it is the last one that is allowed, or is given back after that.
CREATE TRIGGER note_row AFTER INSERT OR DELETE ON promotions
    FOR EACH ROW EXECUTE FUNCTION note_price_rule('promotion', 'id', 'product_handle', 'category');
CREATE TRIGGER note_change AFTER UPDATE ON promotions
    FOR EACH ROW WHEN (
        to_jsonb(OLD) - 'updated_at' - 'name' - 'redeemed' IS DISTINCT FROM
            to_jsonb(NEW) - 'updated_at' - 'name' - 'redeemed'
        OR (OLD.redeemed >= OLD.limit_total) IS DISTINCT FROM (NEW.redeemed >= NEW.limit_total))
    EXECUTE FUNCTION note_price_rule('promotion', 'id', 'product_handle', 'category');
CREATE TRIGGER note_category AFTER UPDATE ON products
    FOR EACH ROW WHEN (OLD.category IS DISTINCT FROM NEW.category)
    EXECUTE FUNCTION note_price_rule('promotion', 'id', 'handle');

-- A coupon that may not be used any more is refused by a code of its own; what it is worth may change all the same.
CREATE TRIGGER note_change AFTER UPDATE ON coupons
    FOR EACH ROW WHEN (to_jsonb(OLD) - 'updated_at' - 'name' - 'redeemed' IS DISTINCT FROM
        to_jsonb(NEW) - 'updated_at' - 'name' - 'redeemed')
    EXECUTE FUNCTION note_price_rule('coupon', 'id', 'code', 'kind');
