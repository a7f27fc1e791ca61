"""What holds for every cart: random carts, rules, currencies and taxes."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from checkout.domain.discounts import AmountOff, BuyGet, Discount, Effect, FreeShipping, PercentageOff, Selection
from checkout.domain.money import convert
from checkout.domain.pricing import LineInput, Pricing, PricingInput, price_cart
from checkout.domain.shipping import AS_GOODS, ShippingBand, ShippingOption
from checkout.domain.tax import Destination
from tests.domain.pricing.carts import NOW, VAT

SKUS = "ABCDEF"
GROUPS = st.sampled_from(["x", "y"])
RATES = {"EUR": None, "JPY": Decimal("162.35"), "KWD": Decimal("0.3345"), "USD": Decimal("1.0835")}
AMOUNTS = st.one_of(st.integers(0, 20), st.integers(0, 20_000))

selections = st.builds(Selection, st.frozensets(GROUPS, max_size=1), st.frozensets(GROUPS, max_size=1))
points = st.integers(1, 10_000)
effects: st.SearchStrategy[Effect] = st.one_of(
    st.builds(PercentageOff, points, selections),
    st.builds(AmountOff, st.integers(1, 30_000), st.sampled_from(["EUR", "JPY"]), selections),
    st.builds(FreeShipping, st.frozensets(st.sampled_from(["post", "express"]), max_size=1)),
    st.builds(BuyGet, st.integers(1, 3), st.integers(1, 3), points, selections, st.none() | selections),
)


@st.composite
def discounts(draw: st.DrawFn, code: str) -> Discount:
    """A coupon or promotion that may or may not apply."""
    return Discount(
        code=code,
        name=code,
        effect=draw(effects),
        automatic=draw(st.booleans()),
        minimum=draw(st.sampled_from([0, 0, 500])),
        limit=draw(st.sampled_from([None, None, 0])),
        stackable=draw(st.booleans()),
        priority=draw(st.integers(0, 2)),
    )


@st.composite
def bands(draw: st.DrawFn) -> ShippingBand:
    """A band of weight or order total."""
    return ShippingBand(
        prices={"EUR": draw(AMOUNTS)},
        country=draw(st.sampled_from([None, "DE"])),
        max_weight=draw(st.sampled_from([None, 1000])),
        min_total=draw(st.sampled_from([0, 0, 5000])),
    )


@st.composite
def carts(draw: st.DrawFn) -> PricingInput:
    """A cart of the small shop, with up to six lines and five rules."""
    currency = draw(st.sampled_from(list(RATES)))
    lines = [
        LineInput(
            sku=sku,
            quantity=draw(st.integers(1, 5)),
            prices={"EUR": draw(AMOUNTS), **draw(st.sampled_from([{}, {"USD": 777}]))},
            tax_class=draw(st.sampled_from(["standard", "reduced", "zero"])),
            product=draw(GROUPS),
            category=draw(GROUPS),
            weight_grams=draw(st.sampled_from([0, 400])),
        )
        for sku in draw(st.permutations(SKUS))[: draw(st.integers(0, len(SKUS)))]
    ]
    options = [
        ShippingOption(
            code=code,
            name=code,
            bands=tuple(draw(st.lists(bands(), min_size=1, max_size=2))),
            tax_class=draw(st.sampled_from(["standard", "zero", AS_GOODS])),
        )
        for code in ("post", "express")
    ]
    rules = [draw(discounts(f"R{i}")) for i in range(draw(st.integers(0, 5)))]
    return PricingInput(
        currency=currency,
        base_currency="EUR",
        exchange_rate=RATES[currency],
        lines=tuple(lines),
        destination=draw(st.sampled_from([None, Destination("DE"), Destination("CH"), Destination("US", "CA")])),
        tax=VAT,
        prices_include_tax=draw(st.booleans()),
        home=Destination("DE"),
        shipping_options=tuple(options),
        shipping_option=draw(st.sampled_from([None, "post", "express"])),
        discounts=tuple(rules),
        coupon_codes=tuple(rule.code for rule in rules if not rule.automatic),
        now=NOW,
    )


@settings(max_examples=200)
@given(carts())
def test_lines_add_up_to_the_cart(cart: PricingInput) -> None:
    pricing = price_cart(cart)
    lines = pricing.lines
    assert [line.sku for line in lines] == [line.sku for line in cart.lines]
    for line in lines:
        assert line.total == line.sub_total - line.discount_total + line.tax_total
        if not cart.prices_include_tax:
            assert line.sub_total == line.unit_price * line.quantity
    assert pricing.sub_total == sum(line.sub_total for line in lines)
    assert pricing.discount_total == sum(line.discount_total for line in lines)
    assert pricing.tax_total == sum(line.tax_total for line in lines) + pricing.shipping_tax
    assert pricing.total == sum(line.total for line in lines) + pricing.shipping_total + pricing.shipping_tax
    assert pricing.total == pricing.sub_total - pricing.discount_total + pricing.shipping_total + pricing.tax_total


@settings(max_examples=200)
@given(carts())
def test_nothing_is_negative_and_no_discount_exceeds_its_line(cart: PricingInput) -> None:
    pricing = price_cart(cart)
    for line in pricing.lines:
        assert 0 <= line.discount_total <= line.sub_total
        assert line.tax_total >= 0
        assert line.unit_price >= 0
    assert min(pricing.shipping_total, pricing.shipping_tax, pricing.total) >= 0
    assert all(part.amount >= 0 for part in pricing.discount_breakdown)
    assert all(one.amount >= 0 and one.shipping_amount >= 0 for one in pricing.applied_discounts)


@settings(max_examples=200)
@given(carts())
def test_the_breakdowns_add_up_to_the_totals(cart: PricingInput) -> None:
    pricing = price_cart(cart)
    for line in pricing.lines:
        assert line.discount_total == sum(part.amount for part in pricing.discount_breakdown if part.sku == line.sku)
    assert pricing.discount_total == sum(one.amount for one in pricing.applied_discounts)
    assert pricing.tax_total == sum(part.tax for part in pricing.tax_breakdown)
    net = pricing.sub_total - pricing.discount_total + pricing.shipping_total
    assert net == sum(part.net for part in pricing.tax_breakdown)
    assert {one.code for one in pricing.applied_discounts} == {one.code for one in pricing.promotion_details}


def comparable(pricing: Pricing) -> dict[str, Any]:
    """A pricing by the names of its fields, its lines by SKU."""
    fields = {name: getattr(pricing, name) for name in pricing.__slots__}
    return {**fields, "lines": {line.sku: line for line in pricing.lines}}


@settings(max_examples=200)
@given(carts(), st.data())
def test_no_order_matters(cart: PricingInput, data: st.DataObject) -> None:
    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(data.draw(st.permutations(items)))

    other = replace(
        cart,
        lines=shuffled(cart.lines),
        discounts=shuffled(cart.discounts),
        coupon_codes=shuffled(cart.coupon_codes),
        shipping_options=shuffled(cart.shipping_options),
    )
    assert comparable(price_cart(other)) == comparable(price_cart(cart))


@settings(max_examples=120)
@given(carts())
def test_converting_first_changes_nothing(cart: PricingInput) -> None:
    """Each price is converted and rounded by itself, so a shop that sets the converted price gets the same figures."""

    def own(prices: Any) -> dict[str, int]:
        rate = cart.exchange_rate or Decimal(1)
        return {cart.currency: prices.get(cart.currency, convert(prices["EUR"], "EUR", cart.currency, rate))}

    set_by_shop = replace(cart, lines=tuple(replace(line, prices=own(line.prices)) for line in cart.lines))
    assert comparable(price_cart(set_by_shop)) == comparable(price_cart(cart))


@settings(max_examples=120)
@given(carts())
def test_at_home_the_buyer_pays_what_is_on_the_tag(cart: PricingInput) -> None:
    """Prices with tax, sold where that tax is due, without discounts: the total is the sum of the tags."""
    home = replace(cart, prices_include_tax=True, destination=Destination("DE"), discounts=(), coupon_codes=())
    pricing = price_cart(home)
    tags = sum((home.exchange().price(line.prices) or 0) * line.quantity for line in home.lines)
    assert sum(line.total for line in pricing.lines) == tags


@settings(max_examples=120)
@given(carts(), st.integers(1, 10_000))
def test_a_usable_coupon_alone_takes_what_it_says(cart: PricingInput, basis_points: int) -> None:
    """One percentage off all goods at net prices: its share of the goods, half a unit at most away, on every cart."""
    coupon = Discount(code="C", name="C", effect=PercentageOff(basis_points))
    plain = replace(cart, prices_include_tax=False, discounts=(coupon,), coupon_codes=("c",))
    pricing = price_cart(plain)
    assert abs(pricing.discount_total * 10_000 - pricing.sub_total * basis_points) * 2 <= 10_000 or not cart.lines


@settings(max_examples=120)
@given(carts())
def test_the_choice_leaves_least_to_pay(cart: PricingInput) -> None:
    """No exclusive rule, used alone, would leave less than what was chosen, and neither would the stackable ones."""
    fixed = replace(
        cart,
        destination=None,
        prices_include_tax=False,
        discounts=tuple(replace(rule, automatic=True) for rule in cart.discounts),
        coupon_codes=(),
    )

    def to_pay(rules: tuple[Discount, ...]) -> int:
        return price_cart(replace(fixed, discounts=rules, home=None)).total

    chosen = to_pay(fixed.discounts)
    together = tuple(rule for rule in fixed.discounts if rule.stackable)
    alternatives = [together, *((rule,) for rule in fixed.discounts if not rule.stackable)]
    assert chosen == min(to_pay(rules) for rules in alternatives)


@settings(max_examples=120)
@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 4)), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_buy_and_get_against_unit_by_unit_counting(lines: list[tuple[int, int]], buy: int, get: int) -> None:
    """One pool: of every ``buy + get`` units the ``get`` cheapest of all are free."""
    units = sorted(price for price, quantity in lines for _ in range(quantity))
    free = units[: len(units) // (buy + get) * get]
    rule = Discount(code="B", name="B", effect=BuyGet(buy, get), automatic=True)
    cart = PricingInput(
        currency="EUR",
        base_currency="EUR",
        lines=tuple(
            LineInput(sku=str(i), quantity=quantity, prices={"EUR": price}) for i, (price, quantity) in enumerate(lines)
        ),
        discounts=(rule,),
        now=NOW,
    )
    assert price_cart(cart).discount_total == sum(free)
