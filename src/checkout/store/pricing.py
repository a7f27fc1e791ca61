"""Everything that decides the prices of a cart, read in one statement and so from one moment.

The cart's view and the price lock read with it; the one what the cart wants, the other what is reserved.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checkout.domain.checks import InvalidValue
from checkout.domain.countries import is_country
from checkout.domain.discounts import Discount
from checkout.domain.errors import DefiniteFailure
from checkout.domain.pricing import LineInput, PricingInput
from checkout.domain.tax import Destination, TaxProvider, TaxTable
from checkout.runtime.settings import Settings
from checkout.runtime.statements import Session, Statement
from checkout.store import rows
from checkout.store.errors import CartNotFound
from checkout.store.own_taxes import MakeProvider, tax_provider_of, the_table


@dataclass(frozen=True)
class PriceRules:
    """How the shop means prices: their base currency, whether its home country's tax is in them, whose rates hold."""

    base_currency: str = "EUR"
    prices_include_tax: bool = False
    home: Destination | None = None
    tax_provider: MakeProvider = the_table

    @classmethod
    def of(cls, settings: Settings) -> "PriceRules":
        """The rules that the settings give. Raises SettingsError where there is no such provider of tax rates."""
        home = None if settings.home_country is None else Destination(settings.home_country)
        return cls(settings.base_currency, settings.prices_include_tax, home, tax_provider_of(settings))

    def taxes(self, found: Iterable[rows.Row]) -> TaxProvider:
        """The source of tax rates, from the table's rows. Raises InvalidValue for a row that makes no sense."""
        return self.tax_provider(TaxTable(rows.tax_rates(found)))


#: The rules of a shop that sets none: net prices, converted from euros.
EURO_PRICES = PriceRules()


@dataclass(frozen=True)
class LoadedLine:
    """A line of a cart with what the catalogue says of its variant now."""

    variant_id: int
    sku: str
    name: str
    quantity: int
    position: int
    active: bool


@dataclass(frozen=True)
class LoadedCart:
    """A cart with its lines in their order, addresses by kind, and the input of its pricing."""

    cart: Mapping[str, Any]
    lines: tuple[LoadedLine, ...]
    addresses: Mapping[str, Mapping[str, Any]]
    pricing: PricingInput
    #: The rows behind the discounts, by (automatic, code): ids of coupons and promotions.
    discount_ids: Mapping[tuple[bool, str], int]
    redeemer: str
    now: datetime


@contextmanager
def reckoning() -> Iterator[None]:
    """Around what loads and prices a cart: a row of the shop that makes no sense is the shop's fault, told as such.

    Raises DefiniteFailure ``pricing_impossible``, not benign, naming the field.
    """
    try:
        yield
    except InvalidValue as error:
        detail = f"the shop's own prices cannot be reckoned with: {error}"
        raise DefiniteFailure("pricing_impossible", detail, benign=False) from None


async def load_cart(
    session: Session, cart_id: str, rules: PriceRules, *, reserved_for: str | None = None
) -> LoadedCart:
    """Read a cart and all that decides its prices; with ``reserved_for``, the quantities that this checkout holds.

    Raises CartNotFound.
    """
    statement = _WANTED if reserved_for is None else _RESERVED
    parameters = {
        "cart_id": cart_id,
        "base": rules.base_currency,
        "home": rules.home.country if rules.home else "",
        **({} if reserved_for is None else {"checkout_id": reserved_for}),
    }
    row = await statement.row(session, parameters)
    if row is None:
        raise CartNotFound(cart_id)
    lines = [line for line in row["lines"] or () if line["quantity"]]
    addresses = {address["kind"]: address for address in row["addresses"] or ()}
    discounts, ids = _discounts(row["promotions"] or (), row["coupon"])
    cart = row["cart"]
    shipping = addresses.get("shipping")
    pricing = PricingInput(
        currency=cart["currency"],
        lines=tuple(_line_input(line) for line in lines),
        base_currency=rules.base_currency,
        exchange_rate=rows.exchange_rate(row["rates"] or (), rules.base_currency, cart["currency"]),
        destination=_destination(shipping),
        tax=rules.taxes(row["taxes"] or ()),
        prices_include_tax=rules.prices_include_tax,
        home=rules.home,
        shipping_options=rows.shipping_options(row["shipping"] or ()),
        shipping_option=cart["shipping_option"],
        discounts=discounts,
        coupon_codes=(cart["coupon_code"],) if cart["coupon_code"] else (),
        now=row["now"],
    )
    return LoadedCart(
        cart={**cart, **{name: datetime.fromisoformat(cart[name]) for name in ("created_at", "updated_at")}},
        lines=tuple(_loaded_line(line) for line in lines),
        addresses=addresses,
        pricing=pricing,
        discount_ids=ids,
        redeemer=row["redeemer"],
        now=row["now"],
    )


def _destination(address: Mapping[str, Any] | None) -> Destination | None:
    if address is None or not is_country(address["country"]):
        return None
    return Destination(address["country"], address["region"])


def _line_input(line: Mapping[str, Any]) -> LineInput:
    return LineInput(
        sku=line["sku"],
        quantity=line["quantity"],
        prices=line["prices"] or {},
        tax_class=line["tax_class"],
        product=line["handle"],
        category=line["category"] or None,
        weight_grams=line["weight_grams"],
    )


def _loaded_line(line: Mapping[str, Any]) -> LoadedLine:
    return LoadedLine(
        variant_id=line["variant_id"],
        sku=line["sku"],
        name=rows.variant_name(line["product_title"], line["variant_title"]),
        quantity=line["quantity"],
        position=line["position"],
        active=line["active"],
    )


def _discounts(
    promotions: Iterable[rows.Row], coupon: rows.Row | None
) -> tuple[tuple[Discount, ...], dict[tuple[bool, str], int]]:
    found = [(rows.promotion(each), each["id"]) for each in promotions]
    if coupon is not None:
        found.append((rows.coupon(coupon), coupon["id"]))
    return tuple(discount for discount, _ in found), {(d.automatic, d.code): id_ for d, id_ in found}


#: Redemptions count for all checkouts but the cart's own, so that a locked cart still shows its coupon as valid.
_COUNTED = """
    to_jsonb({alias}) || jsonb_build_object(
        'redeemed', {alias}.redeemed - (
            SELECT count(*) FROM {redemptions} r
            WHERE r.checkout_id = cart.checkout_id AND r.{key} = {alias}.id AND r.given_back_at IS NULL),
        'redeemed_by_customer', CASE WHEN {alias}.limit_per_customer IS NULL THEN 0 ELSE (
            SELECT count(*) FROM {redemptions} r
            WHERE r.{key} = {alias}.id AND r.redeemer = cart.redeemer AND r.given_back_at IS NULL
                AND r.checkout_id IS DISTINCT FROM cart.checkout_id) END)
"""

_QUERY = """
WITH cart AS (
    SELECT c.*, COALESCE(c.customer_id, lower(c.email), c.session_id) AS redeemer, a.country
    FROM carts c LEFT JOIN cart_addresses a ON a.cart_id = c.id AND a.kind = 'shipping'
    WHERE c.id = :cart_id
)
SELECT to_jsonb(cart) AS cart, cart.redeemer, now() AS now,
    (SELECT jsonb_agg(jsonb_build_object(
            'variant_id', l.variant_id, 'position', l.position, 'quantity', {quantity}, 'sku', v.sku,
            'product_title', p.title, 'variant_title', v.title, 'handle', p.handle, 'category', p.category,
            'tax_class', v.tax_class, 'weight_grams', v.weight_grams, 'active', v.active AND p.active,
            'prices', prices.amounts)
        ORDER BY l.position, l.variant_id)
        FROM cart_lines l
        JOIN variants v ON v.id = l.variant_id
        JOIN products p ON p.id = v.product_id
        LEFT JOIN LATERAL (
            SELECT jsonb_object_agg(currency, amount) AS amounts
            FROM prices WHERE variant_id = l.variant_id AND currency IN (cart.currency, :base)) prices ON true
        WHERE l.cart_id = cart.id) AS lines,
    (SELECT jsonb_agg(to_jsonb(a)) FROM cart_addresses a WHERE a.cart_id = cart.id) AS addresses,
    (SELECT {coupon} FROM coupons k WHERE k.code = upper(cart.coupon_code) AND k.active) AS coupon,
    (SELECT jsonb_agg({promotion}) FROM promotions k
        WHERE k.active AND (k.starts_at IS NULL OR k.starts_at <= now()) AND (k.ends_at IS NULL OR k.ends_at > now())
    ) AS promotions,
    (SELECT jsonb_agg(to_jsonb(t) || jsonb_build_object('percent', t.percent::text))
        FROM tax_rates t WHERE t.country IN (cart.country, :home)) AS taxes,
    (SELECT jsonb_agg(to_jsonb(s)) FROM shipping_options s
        WHERE s.active AND s.country IN (cart.country, '') AND s.currency IN (cart.currency, :base)) AS shipping,
    (SELECT jsonb_agg(jsonb_build_object('base', p.base, 'currency', p.currency, 'rate', newest.rate::text))
        FROM (VALUES (CAST(:base AS text), cart.currency), ('EUR', cart.currency), ('EUR', :base)) p (base, currency)
        CROSS JOIN LATERAL (SELECT e.rate FROM exchange_rates e
            WHERE e.base = p.base AND e.currency = p.currency AND e.date <= CURRENT_DATE
            ORDER BY e.date DESC LIMIT 1) newest
        WHERE cart.currency <> :base) AS rates
FROM cart
"""

_RESERVED_QUANTITY = """
    (SELECT COALESCE(sum(r.quantity), 0) FROM reservations r
        WHERE r.checkout_id = :checkout_id AND r.variant_id = l.variant_id AND r.status = 'held')
"""


def _query(quantity: str) -> Statement:
    coupon = _COUNTED.format(alias="k", redemptions="coupon_redemptions", key="coupon_id")
    promotion = _COUNTED.format(alias="k", redemptions="promotion_redemptions", key="promotion_id")
    return Statement(_QUERY.format(quantity=quantity, coupon=coupon, promotion=promotion))


_WANTED = _query("l.quantity")
_RESERVED = _query(_RESERVED_QUANTITY)
