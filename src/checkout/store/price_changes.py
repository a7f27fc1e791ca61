"""What changed of a cart's prices since its storefront last changed it, and so was shown them.

Asked where a start expects another total. It names causes, not amounts: what the cart came to before is not kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from checkout.domain.countries import region_code
from checkout.domain.discounts import Selection, normal_code
from checkout.domain.pricing import LineInput, PricingInput
from checkout.domain.tax import STANDARD, Destination
from checkout.runtime.statements import Session, Statement
from checkout.store.pricing import LoadedCart

#: In the order in which they are told.
KINDS = ("price", "rate", "promotion", "coupon", "tax", "shipping")


@dataclass(frozen=True)
class PriceChanges:
    """The kinds of what changed, for the cart with its shipping and for each line by its SKU."""

    cart: tuple[str, ...]
    lines: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Change:
    """A row of ``price_changes``: a rule, and what it is about."""

    kind: str
    rule: str
    about: tuple[str | None, ...]


async def changes_since_shown(session: Session, loaded: LoadedCart) -> PriceChanges:
    """What changed since the cart itself was changed last: whoever changes it is answered with all its prices."""
    given = loaded.pricing
    variants = {line.sku: str(line.variant_id) for line in loaded.lines}
    parameters = {
        "since": loaded.cart["updated_at"],
        "variants": list(variants.values()),
        "redeemer": loaded.redeemer,
        "checkout_id": loaded.cart["locked_by"],
    }
    changes = [
        _Change(row["kind"], row["rule"], tuple(row["about"])) for row in await _CHANGES.rows(session, parameters)
    ]
    lines = {line.sku: _kinds(_of_line(changes, line, variants[line.sku], given)) for line in given.lines}
    of_lines = {kind for kinds in lines.values() for kind in kinds}
    return PriceChanges(_kinds({*of_lines, *_of_shipping(changes, given)}), lines)


def _kinds(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found), key=KINDS.index))


def _of_line(changes: Iterable[_Change], line: LineInput, variant: str, given: PricingInput) -> Iterator[str]:
    """The kinds of those changes that concern a line."""
    own_price = given.currency in line.prices
    for change in changes:
        match change.kind, change.about:
            case "price", (currency,):
                concerned = change.rule == variant and (currency == given.currency or not own_price)
            case "rate", _:
                concerned = not own_price and _converts(change, given)
            case "promotion", (product, *category):
                concerned = _selection(product, *category).picks(line.product, line.category)
            case "coupon", (code, kind):
                concerned = kind != "free_shipping" and _is_asked_for(code, given)
            case "tax", ():
                concerned = change.rule == variant
            case "tax", _:
                concerned = _taxes(change, line.tax_class, given)
            case _:
                concerned = False
        if concerned:
            yield change.kind


def _of_shipping(changes: Iterable[_Change], given: PricingInput) -> Iterator[str]:
    """The kinds of those changes that concern the shipping, weights of what is shipped included."""
    country = given.destination.country if given.destination else None
    classes = {option.tax_class for option in given.shipping_options}
    for change in changes:
        match change.kind, change.about:
            case "shipping", ():
                concerned = True
            case "shipping", (to, currency):
                concerned = to in {country, ""} and currency in {given.currency, given.base_currency}
            case "rate", _:
                concerned = _converts(change, given)
            case "coupon", (code, _):
                concerned = _is_asked_for(code, given)
            case "tax", (_, _, tax_class):
                concerned = tax_class in classes and _taxes(change, tax_class, given)
            case _:
                concerned = False
        if concerned:
            yield change.kind


def _converts(change: _Change, given: PricingInput) -> bool:
    """Whether the rate is one that prices of the base currency are converted by, on their own or by way of the euro."""
    if given.currency == given.base_currency:
        return False
    base, currency = change.about
    return base in {given.base_currency, "EUR"} and currency in {given.currency, given.base_currency}


def _selection(product: str | None, category: str | None = None) -> Selection:
    """The lines that a promotion means, or those of a product whose category is another now."""
    return Selection(frozenset({product} if product else ()), frozenset({category} if category else ()))


def _is_asked_for(code: str | None, given: PricingInput) -> bool:
    return code is not None and normal_code(code) in {normal_code(asked) for asked in given.coupon_codes}


def _taxes(change: _Change, tax_class: str, given: PricingInput) -> bool:
    """Whether the rate decides about a class where the cart goes, or at home where prices contain that tax."""
    country, region, of_class = change.about
    places = [given.destination or given.home, given.home if given.prices_include_tax else None]
    return any(
        place.country == country
        and region in {"", region_code(place.country, place.region)}
        and (of_class == tax_class or (of_class == STANDARD and _falls_back(tax_class, place, given)))
        for place in places
        if place is not None
    )


def _falls_back(tax_class: str, place: Destination, given: PricingInput) -> bool:
    """Whether a class without a rate of its own is taxed as ``standard`` there."""
    return given.tax.rate(place, tax_class) == given.tax.rate(place, STANDARD)


#: Prices of these variants; rules; promotions whose window opened or closed, or that this customer used elsewhere.
_CHANGES = Statement("""
SELECT kind, rule, about FROM price_changes
WHERE kind = 'price' AND rule = ANY (CAST(:variants AS text[])) AND changed_at > :since
UNION ALL
SELECT kind, rule, about FROM price_changes
WHERE kind <> 'price' AND changed_at > :since AND (about <> '[]' OR rule = ANY (CAST(:variants AS text[])))
UNION ALL
SELECT 'promotion', id::text, jsonb_build_array(product_handle, category) FROM promotions
WHERE active AND ((starts_at > :since AND starts_at <= now()) OR (ends_at > :since AND ends_at <= now()))
UNION ALL
SELECT 'promotion', p.id::text, jsonb_build_array(p.product_handle, p.category)
FROM promotions p JOIN promotion_redemptions r ON r.promotion_id = p.id
WHERE p.limit_per_customer IS NOT NULL AND r.redeemer = :redeemer AND r.checkout_id <> :checkout_id
    AND r.given_back_at IS NULL AND r.redeemed_at > :since
""")
