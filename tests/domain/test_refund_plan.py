"""What a refund gives back: shares of lines that add up whatever the split, and never more than there is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.errors import DefiniteFailure
from checkout.domain.refund_plan import Plan, RefundedLine, Sold, SoldLine, plan
from checkout.domain.words import OrderStatus


def order(*lines: SoldLine, captured: int = 5938, given_back: int = 0, status: OrderStatus = OrderStatus.PAID) -> Sold:
    return Sold(
        status, "EUR", captured, given_back, lines or (SoldLine(1, "MUG", 3, 1000), SoldLine(2, "LAMP", 1, 4448))
    )


def refused(sold: Sold, **wanted: Any) -> DefiniteFailure:
    with pytest.raises(DefiniteFailure) as caught:
        plan(sold, **{"amount": None, "lines": None, **wanted})
    return caught.value


def test_the_first_units_bear_the_cents_that_are_left() -> None:
    worth = [SoldLine(1, "MUG", 3, 1000, refunded).worth(1) for refunded in range(3)]
    assert worth == [334, 333, 333]


@given(st.integers(1, 999), st.integers(0, 10**9), st.data())
def test_any_split_of_a_lines_units_adds_up_to_its_total(quantity: int, total: int, data: st.DataObject) -> None:
    refunded, back = 0, 0
    while refunded < quantity:
        units = data.draw(st.integers(1, quantity - refunded))
        worth = SoldLine(1, "MUG", quantity, total, refunded).worth(units)
        assert units * total - worth * quantity + quantity * min(units, quantity - 1) >= 0
        back += worth
        refunded += units
    assert back == total


def test_lines_go_back_at_their_worth() -> None:
    planned = plan(order(), amount=None, lines=[("MUG", 2), ("LAMP", 1)])
    assert planned == Plan(667 + 4448, (RefundedLine(1, "MUG", 2, 667), RefundedLine(2, "LAMP", 1, 4448)))


def test_without_amount_and_lines_all_that_is_left_goes_back_with_the_units_that_are_left() -> None:
    sold = order(SoldLine(1, "MUG", 3, 1000, 3), SoldLine(2, "LAMP", 1, 4448), given_back=1000)
    assert plan(sold, amount=None, lines=None) == Plan(4938, (RefundedLine(2, "LAMP", 1, 4448),))


def test_an_amount_beside_lines_has_to_be_theirs() -> None:
    assert plan(order(), amount=334, lines=[("MUG", 1)]).amount == 334
    failure = refused(order(), amount=300, lines=[("MUG", 1)])
    assert (failure.code, failure.context) == (
        "refund_amount_differs",
        {"amount": 300, "lines_amount": 334, "currency": "EUR"},
    )


@pytest.mark.parametrize(
    ("sold", "wanted", "refundable"),
    [
        (order(), {"amount": 5939}, 5938),
        (order(given_back=5000), {"amount": 939}, 938),
        (order(given_back=5000), {"lines": [("LAMP", 1)]}, 938),
        (order(given_back=5938), {}, 0),
        (order(given_back=5938), {"amount": 1}, 0),
    ],
)
def test_more_than_is_left_is_refused_with_the_figures(sold: Sold, wanted: Any, refundable: int) -> None:
    failure = refused(sold, **wanted)
    assert failure.code == "refund_exceeds_capture"
    assert (failure.context["refundable"], failure.context["captured"]) == (refundable, 5938)


def test_more_units_than_are_left_are_refused_with_every_line() -> None:
    sold = order(SoldLine(1, "MUG", 3, 1000, 2), SoldLine(2, "LAMP", 1, 4448))
    failure = refused(sold, lines=[("MUG", 2), ("LAMP", 1), ("VASE", 1)])
    assert failure.code == "refund_exceeds_order"
    assert failure.context["lines"] == [
        {"sku": "MUG", "requested": 2, "ordered": 3, "refundable": 1},
        {"sku": "VASE", "requested": 1, "ordered": 0, "refundable": 0},
    ]


def test_what_was_not_paid_does_not_go_back() -> None:
    assert refused(order(captured=0, status=OrderStatus.PENDING)).code == "order_not_paid"
    assert refused(order(status=OrderStatus.CANCELLED)).code == "order_cancelled"
    assert refused(order(captured=0)).code == "nothing_to_refund"
    assert refused(order(SoldLine(1, "GIFT", 2, 0)), lines=[("GIFT", 1)]).code == "nothing_to_refund"
