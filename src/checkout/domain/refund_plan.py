"""What a refund gives back of an order. Money in minor units; not for workflow code (it splits amounts).

A unit of a line is worth its share of the line's total (tax in, discounts out): the total is split evenly, and the
cents that are left go one each to the first units. Units go back in their order. So however the units of a line are
spread over refunds, together they are worth exactly its total. Shipping goes back by an amount, or with all that is
left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checkout.domain.errors import DefiniteFailure
from checkout.domain.money import split
from checkout.domain.words import OrderStatus


@dataclass(frozen=True)
class SoldLine:
    """A line of an order, and how many units of it went back by refunds of lines (or are about to)."""

    variant_id: int
    sku: str
    quantity: int
    total: int
    refunded: int = 0

    @property
    def refundable(self) -> int:
        """Units that may still go back."""
        return self.quantity - self.refunded

    def worth(self, units: int) -> int:
        """What the next units to go back are worth."""
        return sum(split(self.total, [1] * self.quantity)[self.refunded : self.refunded + units])


@dataclass(frozen=True)
class Sold:
    """An order with its money: what was captured for it, and what of that went back or is about to."""

    status: OrderStatus
    currency: str
    captured: int
    given_back: int
    lines: tuple[SoldLine, ...]

    @property
    def refundable(self) -> int:
        """What may still go back."""
        return self.captured - self.given_back


@dataclass(frozen=True)
class RefundedLine:
    """Units of a line that go back, and what they are worth."""

    variant_id: int
    sku: str
    quantity: int
    amount: int


@dataclass(frozen=True)
class Plan:
    """What a refund gives back: the amount, and the units that it is for (none where it is for an amount alone)."""

    amount: int
    lines: tuple[RefundedLine, ...] = ()


def plan(sold: Sold, *, amount: int | None, lines: Sequence[tuple[str, int]] | None) -> Plan:
    """What is to go back: an amount, units of lines (SKU, how many), or without either all that is left.

    Raises DefiniteFailure ``order_not_paid``, ``order_cancelled``, ``nothing_to_refund``, ``refund_exceeds_order``
    (more units than are left), ``refund_amount_differs`` (the amount is not what the lines are worth),
    ``refund_exceeds_capture``.
    """
    _require_paid(sold)
    if lines is not None:
        planned = _of_lines(sold, lines)
        if amount not in {None, planned.amount}:
            raise DefiniteFailure(
                "refund_amount_differs",
                f"the lines are worth {planned.amount}, not {amount}: leave one of the two out",
                {"amount": amount, "lines_amount": planned.amount, "currency": sold.currency},
            )
    elif amount is not None:
        planned = Plan(amount)
    else:
        planned = Plan(sold.refundable, tuple(_units(line, line.refundable) for line in sold.lines if line.refundable))
    if planned.amount > sold.refundable or sold.refundable == 0:
        raise _exceeds(sold, planned.amount if amount is not None or lines is not None else None)
    if planned.amount == 0:
        raise DefiniteFailure("nothing_to_refund", "these units cost nothing, so there is no money to give back")
    return planned


def _require_paid(sold: Sold) -> None:
    match sold.status:
        case OrderStatus.PENDING:
            detail = "the order is not paid yet: cancel its checkout instead"
            raise DefiniteFailure("order_not_paid", detail)
        case OrderStatus.CANCELLED:
            detail = "the order is cancelled: what was paid for it went back then"
            raise DefiniteFailure("order_cancelled", detail)
    if sold.captured == 0:
        raise DefiniteFailure("nothing_to_refund", "the order cost nothing, so there is no money to give back")


def _of_lines(sold: Sold, wanted: Sequence[tuple[str, int]]) -> Plan:
    by_sku = {line.sku: line for line in sold.lines}
    short: list[dict[str, Any]] = []
    for sku, units in wanted:
        line = by_sku.get(sku)
        if line is None or units > line.refundable:
            left = (
                {"ordered": line.quantity, "refundable": line.refundable} if line else {"ordered": 0, "refundable": 0}
            )
            short.append({"sku": sku, "requested": units, **left})
    if short:
        skus = ", ".join(each["sku"] for each in short)
        raise DefiniteFailure(
            "refund_exceeds_order", f"the order has fewer units left to give back of {skus}", {"lines": short}
        )
    refunded = tuple(_units(by_sku[sku], units) for sku, units in wanted)
    return Plan(sum(line.amount for line in refunded), refunded)


def _units(line: SoldLine, units: int) -> RefundedLine:
    return RefundedLine(line.variant_id, line.sku, units, line.worth(units))


def _exceeds(sold: Sold, requested: int | None) -> DefiniteFailure:
    figures = {
        "captured": sold.captured,
        "given_back": sold.given_back,
        "refundable": sold.refundable,
        "currency": sold.currency,
    }
    detail = f"of the {sold.captured} captured only {sold.refundable} may still go back"
    if sold.refundable == 0:
        detail = "all that was captured went back already, or is about to"
    return DefiniteFailure(
        "refund_exceeds_capture", detail, figures | ({} if requested is None else {"requested": requested})
    )
