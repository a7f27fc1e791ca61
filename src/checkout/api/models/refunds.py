"""Refunds after the sale: what an operator sends, and the order with its refunds."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from checkout.api.models.admin import Reason
from checkout.api.models.base import Answer, Code, Money, Quantity, Request, Time, refused
from checkout.api.models.orders import ORDER, Order
from checkout.domain.money import MAX_AMOUNT
from checkout.domain.pricing.model import MAX_LINES
from checkout.domain.refunds import RefundStatus


class RefundLine(Request):
    """Units of a line that go back."""

    sku: Code
    quantity: Quantity


class RefundOrder(Request):
    """What goes back: an ``amount``, units of ``lines``, or without either all that is left."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"reason": "the parcel was lost"},
                {"amount": 500, "reason": "came late"},
                {"lines": [{"sku": "CUP-ESPRESSO-2", "quantity": 1}], "restock": True, "reason": "came back, unused"},
            ]
        }
    )

    amount: Annotated[int | None, Field(strict=True, ge=1, le=MAX_AMOUNT, description="Minor units")] = None
    lines: Annotated[list[RefundLine] | None, Field(min_length=1, max_length=MAX_LINES)] = None
    reason: Reason
    restock: Annotated[
        bool, Field(description="Whether the units of the lines (without any: all that is left) are back in stock")
    ] = False

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: list[RefundLine] | None) -> list[RefundLine] | None:
        if lines is not None and len({line.sku for line in lines}) < len(lines):
            raise refused("must name each SKU once")
        return lines

    @field_validator("restock")
    @classmethod
    def _of_lines(cls, restock: bool, info: ValidationInfo) -> bool:
        if restock and info.data.get("amount") is not None and info.data.get("lines") is None:
            raise refused("needs lines, or a refund of all that is left: an amount says not which units came back")
        return restock


class RefundedLine(Answer):
    """Units of a line that went back, and what they are worth."""

    sku: str
    quantity: int
    amount: Money


REFUND: dict[str, Any] = {
    "id": "rfd_7k2m9qxw4t1bp5n8c3vz",
    "status": "refunded",
    "amount": 2677,
    "lines": [{"sku": "CUP-ESPRESSO-2", "quantity": 1, "amount": 2677}],
    "restocked": 1,
    "reason": "came back, unused",
    "requested_by": "ada",
    "failure_code": None,
    "failure_detail": None,
    "gateway_code": None,
    "gateway_detail": None,
    "gateway_reference": "gw_5f0c1d2e3a4b5c6d7e8f9a0b",
    "created_at": "2026-02-03T09:00:00Z",
    "finished_at": "2026-02-03T09:00:01Z",
}


class OrderRefund(Answer):
    """One refund: ``requested`` and ``pending`` go on by themselves, ``refunded`` and ``refused`` are final."""

    id: str
    status: RefundStatus
    amount: Annotated[int | None, Field(description="Minor units; null until it is decided")]
    lines: list[RefundedLine]
    restocked: Annotated[int, Field(description="Units that are back in stock")]
    reason: str
    requested_by: str
    failure_code: Annotated[str | None, Field(description="Why it was refused")]
    failure_detail: str | None
    gateway_code: Annotated[str | None, Field(description="What the gateway said, in its words")]
    gateway_detail: str | None
    gateway_reference: Annotated[str | None, Field(description="The payment at the gateway")]
    created_at: Time
    finished_at: Time | None


class RefundedOrder(Order):
    """An order with its refunds, the oldest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **ORDER,
                    "status": "partially_refunded",
                    "payment": {**ORDER["payment"], "refunded": 2677},
                    "refunds": [REFUND],
                }
            ]
        }
    )

    refunds: list[OrderRefund]
