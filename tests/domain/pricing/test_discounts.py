"""Coupons and promotions: what each takes, in which order, and why one is refused."""

import json
from datetime import timedelta
from typing import Any

import pytest

from checkout.domain.checks import InvalidValue
from checkout.domain.discounts import AmountOff, BuyGet, Discount, FreeShipping, PercentageOff, Selection
from checkout.domain.errors import DefiniteFailure
from checkout.domain.pricing import Pricing, price_cart
from checkout.domain.shipping import ShippingBand, ShippingOption
from tests.domain.pricing.carts import NOW, cart, coupon, line, option, promotion


def taken(pricing: Pricing) -> dict[str, int]:
    """What each line was let off, by SKU, where it is anything."""
    return {line.sku: line.discount_total for line in pricing.lines if line.discount_total}


def applied(pricing: Pricing) -> list[tuple[str, int, int]]:
    """The discounts in force with what they took from goods and shipping."""
    return [(one.code, one.amount, one.shipping_amount) for one in pricing.applied_discounts]


def test_the_contracts_example_to_the_cent() -> None:
    pricing = price_cart(cart(line("A", 2, 2500), **coupon(PercentageOff(1000), "WELCOME10"))).require_sound()
    totals = (pricing.sub_total, pricing.discount_total, pricing.shipping_total, pricing.tax_total, pricing.total)
    assert totals == (5000, 500, 490, 948, 5938)
    only = pricing.lines[0]
    assert (only.unit_price, only.sub_total, only.discount_total, only.tax_total, only.total) == (
        2500,
        5000,
        500,
        855,
        5355,
    )
    assert pricing.coupon_codes == ("WELCOME10",)


def test_a_percentage_is_of_the_goods_together_and_spread_by_largest_remainder() -> None:
    goods = (line("A", 1, 995), line("B", 1, 995), line("C", 1, 995))
    pricing = price_cart(cart(*goods, **coupon(PercentageOff(1000))))
    assert pricing.discount_total == 299  # 10 % of 29.85, not three times 1.00
    assert taken(pricing) == {"A": 100, "B": 100, "C": 99}


def test_a_fixed_amount_is_spread_and_never_more_than_there_is() -> None:
    goods = (line("A", 1, 7000), line("B", 1, 1500), line("C", 1, 1500), line("D", 3, 0))
    assert taken(price_cart(cart(*goods, **coupon(AmountOff(10, "EUR"))))) == {"A": 7, "B": 2, "C": 1}
    pricing = price_cart(cart(*goods, **coupon(AmountOff(99_999, "EUR"))))
    assert (pricing.discount_total, pricing.tax_total, pricing.total) == (10_000, 93, 490 + 93)


def test_a_selection_means_products_or_categories() -> None:
    goods = (line("A", 1, 1000), line("B", 1, 2000, category="tea"), line("C", 1, 4000))
    selection = Selection(products=frozenset({"A"}), categories=frozenset({"tea"}))
    assert taken(price_cart(cart(*goods, **coupon(PercentageOff(5000, selection))))) == {"A": 500, "B": 1000}
    assert taken(price_cart(cart(*goods, **coupon(AmountOff(300, "EUR", selection))))) == {"A": 100, "B": 200}


def test_free_shipping_by_any_or_by_named_options() -> None:
    ways = (option("express", 990), option("post", 490))
    free = price_cart(cart(line("A", 1, 1000), shipping_options=ways, **coupon(FreeShipping())))
    assert (free.shipping_total, free.shipping_tax, applied(free)) == (0, 0, [("CODE", 0, 490)])
    assert [(way.code, way.price) for way in free.shipping_options] == [("post", 0), ("express", 0)]
    named = coupon(FreeShipping(frozenset({"express"})))
    assert price_cart(cart(line("A", 1, 1000), shipping_options=ways, **named)).shipping_option == "express"
    post = price_cart(cart(line("A", 1, 1000), shipping_options=ways, shipping_option="post", **named))
    assert (post.shipping_total, [problem.code for problem in post.problems]) == (490, ["coupon_not_applicable"])


@pytest.mark.parametrize(
    ("quantities", "effect", "expected"),
    [
        ((2, 1, 0), BuyGet(2, 1), {"B": 500}),  # three units: the cheapest is got
        ((3, 3, 0), BuyGet(2, 1), {"B": 1000}),  # six units, two sets
        ((2, 2, 1), BuyGet(2, 1), {"C": 200}),  # five units, one set, the cheapest of all
        ((1, 0, 0), BuyGet(2, 1), {}),
        ((2, 0, 0), BuyGet(1, 1, 5000), {"A": 500}),
        ((1, 1, 1), BuyGet(1, 1, 3333), {"C": 67}),  # 66.66 rounds half up
        ((999, 999, 0), BuyGet(1, 1), {"B": 499_500}),
        ((1, 2, 0), BuyGet(1, 1, reward=Selection(products=frozenset({"B"}))), {"B": 500}),
        ((0, 2, 0), BuyGet(1, 1, reward=Selection(products=frozenset({"B"}))), {"B": 500}),
        (
            (2, 0, 3),
            BuyGet(1, 2, selection=Selection(frozenset({"A"})), reward=Selection(frozenset({"C"}))),
            {"C": 400},
        ),
    ],
)
def test_buy_some_get_some(quantities: tuple[int, ...], effect: BuyGet, expected: dict[str, int]) -> None:
    prices = {"A": 1000, "B": 500, "C": 200}
    goods = [line(sku, count, prices[sku]) for sku, count in zip("ABC", quantities, strict=True) if count]
    assert taken(price_cart(cart(*goods, discounts=(promotion("BOGO", effect),)))) == expected


def test_free_units_are_neither_bought_nor_got() -> None:
    bogo = (promotion("BOGO", BuyGet(1, 1)),)
    assert taken(price_cart(cart(line("A", 1, 1000), line("GIFT", 5, 0), discounts=bogo))) == {}
    assert taken(price_cart(cart(line("A", 2, 1000), line("GIFT", 5, 0), discounts=bogo))) == {"A": 1000}


def test_a_promotion_is_in_force_only_where_it_took_something() -> None:
    free = tuple(promotion(code, FreeShipping()) for code in ("B", "A"))
    sale = promotion("SALE", PercentageOff(10_000))
    pricing = price_cart(cart(line("X", 1, 1000), discounts=(*free, sale, promotion("FIVE", AmountOff(500, "EUR")))))
    assert applied(pricing) == [("SALE", 1000, 0), ("A", 0, 490)]
    assert [detail.code for detail in pricing.promotion_details] == ["SALE", "A"]


def test_no_unit_is_counted_by_two_buy_and_gets() -> None:
    twice = (promotion("ONE", BuyGet(1, 1)), promotion("TWO", BuyGet(1, 1)))
    assert taken(price_cart(cart(line("A", 2, 1000), discounts=twice))) == {"A": 1000}
    pricing = price_cart(cart(line("A", 5, 1000), discounts=(promotion("ONE", BuyGet(2, 1)), twice[1])))
    assert applied(pricing) == [("ONE", 1000, 0), ("TWO", 1000, 0)]


def test_what_goes_together_is_taken_in_the_stated_order_from_what_is_left() -> None:
    discounts = (
        promotion("E_SHIP", FreeShipping(), priority=1),
        promotion("D_AMOUNT", AmountOff(100, "EUR"), priority=1),
        promotion("C_ALL", PercentageOff(1000)),
        promotion("B_SOME", PercentageOff(5000, Selection(products=frozenset({"A"})))),
        promotion("A_BOGO", BuyGet(1, 1, selection=Selection(products=frozenset({"A"})))),
    )
    goods = (line("A", 2, 1000), line("B", 1, 2000))
    expected = [
        ("A_BOGO", 1000, 0),
        ("B_SOME", 500, 0),
        ("C_ALL", 250, 0),
        ("D_AMOUNT", 100, 0),
        ("E_SHIP", 0, 490),
    ]
    assert applied(price_cart(cart(*goods, discounts=discounts))) == expected
    assert applied(price_cart(cart(*reversed(goods), discounts=tuple(reversed(discounts))))) == expected


def test_within_a_kind_priority_then_code_decides() -> None:
    first = (promotion("B", AmountOff(700, "EUR"), priority=1), promotion("A", AmountOff(700, "EUR")))
    assert applied(price_cart(cart(line("X", 1, 1000), discounts=first))) == [("B", 700, 0), ("A", 300, 0)]


@pytest.mark.parametrize(
    ("alone", "together", "expected"),
    [
        (2000, (1000,), ["ALONE"]),
        (1000, (2000,), ["P0"]),
        (1500, (1000, 1000), ["P0", "P1"]),  # 19 % together
        (2000, (1000, 1000), ["ALONE"]),
    ],
)
def test_an_exclusive_promotion_applies_alone_where_that_leaves_less(
    alone: int, together: tuple[int, ...], expected: list[str]
) -> None:
    others = (promotion(f"P{i}", PercentageOff(points)) for i, points in enumerate(together))
    discounts = (promotion("ALONE", PercentageOff(alone), stackable=False), *others)
    pricing = price_cart(cart(line("A", 1, 10_000), discounts=discounts)).require_sound()
    assert [one.code for one in pricing.applied_discounts] == expected


def test_a_coupon_that_loses_to_a_better_offer_is_noted_and_not_used() -> None:
    given = coupon(PercentageOff(1000), stackable=False)
    given["discounts"] += (promotion("SALE", PercentageOff(3000)),)
    pricing = price_cart(cart(line("A", 1, 1000), **given)).require_sound()
    assert (applied(pricing), pricing.coupon_codes) == ([("SALE", 300, 0)], ())
    assert [(problem.code, problem.blocking) for problem in pricing.problems] == [("coupon_not_combinable", False)]


def test_among_equals_the_coupon_is_used() -> None:
    given = coupon(PercentageOff(1000), stackable=False)
    given["discounts"] += (promotion("A_SALE", PercentageOff(1000), stackable=False, priority=1),)
    assert price_cart(cart(line("A", 1, 1000), **given)).coupon_codes == ("CODE",)


def test_two_coupons_go_together_unless_one_is_exclusive() -> None:
    one, two = (Discount(code=code, name=code, effect=AmountOff(100, "EUR")) for code in ("ONE", "TWO"))
    both = price_cart(cart(line("A", 1, 1000), discounts=(one, two), coupon_codes=("two", " ONE ", "One")))
    assert both.coupon_codes == ("ONE", "TWO")
    three = Discount(code="THREE", name="", effect=AmountOff(500, "EUR"), stackable=False)
    pricing = price_cart(cart(line("A", 1, 1000), discounts=(one, two, three), coupon_codes=("ONE", "TWO", "THREE")))
    assert pricing.coupon_codes == ("THREE",)
    assert [problem.context["coupon"] for problem in pricing.problems] == ["ONE", "TWO"]


def test_a_discount_that_would_leave_no_shipping_does_not_win() -> None:
    """The order total decides the band: an exclusive offer that falls out of the last one must not block the sale."""
    band = ShippingBand(prices={"EUR": 100}, min_total=900)
    heavy = ShippingOption(code="post", name="Post", bands=(band,))
    sale = promotion("SALE", PercentageOff(5000), stackable=False)
    pricing = price_cart(cart(line("A", 1, 1000), discounts=(sale,), shipping_options=(heavy,))).require_sound()
    assert (pricing.shipping_total, pricing.discount_total) == (100, 0)


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("code", "effect", "given", "context"),
    [
        ("coupon_not_yet_valid", PercentageOff(1), {"starts_at": NOW + DAY}, {"starts_at": "2026-06-02T12:00:00Z"}),
        ("coupon_expired", PercentageOff(1), {"ends_at": NOW}, {"ends_at": "2026-06-01T12:00:00Z"}),
        ("coupon_used_up", PercentageOff(1), {"limit": 10, "redeemed": 10}, {"limit": 10}),
        ("coupon_used_up", PercentageOff(1), {"limit": 0}, {"limit": 0}),
        (
            "coupon_used_up_by_customer",
            PercentageOff(1),
            {"limit_per_customer": 1, "redeemed_by_customer": 1},
            {"limit_per_customer": 1},
        ),
        (
            "coupon_below_minimum",
            PercentageOff(1),
            {"minimum": 1001},
            {"minimum": 1001, "goods": 1000, "currency": "EUR"},
        ),
        ("coupon_wrong_currency", AmountOff(100, "USD"), {}, {"currency": "USD", "cart_currency": "EUR"}),
        (
            "coupon_wrong_currency",
            PercentageOff(1),
            {"minimum": 1, "currency": "USD"},
            {"currency": "USD", "cart_currency": "EUR"},
        ),
        ("coupon_not_applicable", PercentageOff(1, Selection(products=frozenset({"Z"}))), {}, {}),
        ("coupon_not_applicable", AmountOff(1, "EUR", Selection(categories=frozenset({"Z"}))), {}, {}),
        ("coupon_not_applicable", BuyGet(1, 1), {}, {}),
    ],
)
def test_each_refusal_has_a_code_of_its_own_and_the_figures(
    code: str, effect: Any, given: dict[str, Any], context: dict[str, Any]
) -> None:
    pricing = price_cart(cart(line("A", 1, 1000), **coupon(effect, **given)))
    assert (pricing.discount_total, pricing.applied_discounts) == (0, ())
    with pytest.raises(DefiniteFailure) as refused:
        pricing.require_sound()
    assert (refused.value.code, refused.value.context) == (code, {"coupon": "CODE", **context})
    assert refused.value.detail.startswith("coupon CODE ")


def test_refusals_have_sentences_of_their_own() -> None:
    """No two codes share a sentence: a buyer reads the sentence, not the code."""
    cases: list[tuple[Any, dict[str, Any]]] = [
        (PercentageOff(1), {"starts_at": NOW + DAY}),
        (PercentageOff(1), {"ends_at": NOW}),
        (PercentageOff(1), {"limit": 0}),
        (PercentageOff(1), {"limit_per_customer": 0}),
        (PercentageOff(1), {"minimum": 1001}),
        (AmountOff(100, "USD"), {}),
        (BuyGet(1, 1), {}),
    ]
    found = [price_cart(cart(line("A", 1, 1000), **coupon(effect, **given))).problems[0] for effect, given in cases]
    assert len({problem.code for problem in found}) == len({problem.detail for problem in found}) == len(cases)


def test_the_first_reason_by_order_is_the_one_that_is_said() -> None:
    given = coupon(AmountOff(1, "USD"), ends_at=NOW, limit=0, minimum=10**6)
    assert [problem.code for problem in price_cart(cart(line("A", 1, 1), **given)).problems] == ["coupon_expired"]


def test_an_unknown_coupon_and_a_promotions_code_are_no_coupons() -> None:
    sale = promotion("SALE", PercentageOff(100))
    pricing = price_cart(cart(line("A", 1, 1000), discounts=(sale,), coupon_codes=("SALE", "x" * 10_000)))
    assert [problem.code for problem in pricing.problems] == ["coupon_unknown", "coupon_unknown"]
    assert all(len(problem.detail) < 100 for problem in pricing.problems)
    assert [problem.code for problem in price_cart(cart(line("A", 1, 1000), coupon_codes=("X",))).problems] == [
        "coupon_unknown"
    ]


def test_edges_of_windows_minimums_and_limits() -> None:
    just: dict[str, Any] = {
        "starts_at": NOW,
        "ends_at": NOW + timedelta(microseconds=1),
        "minimum": 1000,
        "limit": 2,
        "redeemed": 1,
    }
    pricing = price_cart(cart(line("A", 1, 1000), **coupon(PercentageOff(10_000), **just))).require_sound()
    assert pricing.discount_total == 1000


def test_the_minimum_is_held_against_the_goods_before_discounts() -> None:
    given = coupon(AmountOff(100, "EUR"), minimum=1000)
    given["discounts"] += (promotion("SALE", PercentageOff(9000)),)
    assert price_cart(cart(line("A", 1, 1000), **given)).discount_total == 1000


def test_a_promotion_that_may_not_apply_is_silent() -> None:
    over = promotion("OVER", PercentageOff(100), ends_at=NOW)
    dollars = promotion("DOLLARS", AmountOff(100, "USD"))
    pricing = price_cart(cart(line("A", 1, 1000), discounts=(over, dollars)))
    assert (pricing.applied_discounts, pricing.problems) == ((), ())


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: PercentageOff(0), "basis_points"),
        (lambda: PercentageOff(10_001), "basis_points"),
        (lambda: AmountOff(0, "EUR"), "amount"),
        (lambda: AmountOff(1, "EUX"), "currency"),
        (lambda: BuyGet(0, 1), "buy"),
        (lambda: BuyGet(1, 0), "get"),
        (lambda: promotion("", FreeShipping()), "code"),
        (lambda: promotion("A", FreeShipping(), starts_at=NOW, ends_at=NOW), "ends_at"),
        (lambda: promotion("A", FreeShipping(), starts_at=NOW.replace(tzinfo=None)), "starts_at"),
        (lambda: promotion("A", FreeShipping(), minimum=-1), "minimum"),
        (lambda: promotion("A", FreeShipping(), limit=-1), "limit"),
        (lambda: cart(discounts=(promotion("A", FreeShipping()),), now=None), "now"),
        (lambda: cart(discounts=(promotion("A", FreeShipping()), promotion("A", PercentageOff(1)))), "discounts"),
    ],
)
def test_contradicting_rules_are_refused_by_field(build: Any, field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        build()
    assert refused.value.field == field


def test_the_snapshot_keeps_what_was_in_force_as_json_values() -> None:
    given = coupon(PercentageOff(1000, Selection(products=frozenset({"A"}))), "WELCOME10")
    breakdowns = price_cart(cart(line("A", 1, 1000), line("B", 1, 1000), **given)).breakdowns()
    assert json.loads(json.dumps(breakdowns)) == {
        "discount_breakdown": [{"code": "WELCOME10", "kind": "coupon", "sku": "A", "amount": 100}],
        "applied_discounts": [
            {"code": "WELCOME10", "kind": "coupon", "name": "WELCOME10", "amount": 100, "shipping_amount": 0}
        ],
        "promotion_details": [
            {
                "code": "WELCOME10",
                "kind": "coupon",
                "terms": {"effect": "percentage_off", "basis_points": 1000, "products": ["A"]},
                "skus": ["A"],
            }
        ],
        "tax_breakdown": [{"rate": "19", "country": "DE", "region": None, "name": "", "net": 2390, "tax": 454}],
    }
