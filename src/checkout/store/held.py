"""A checkout and its cart as a transaction holds them: locked, and as far as phases look at them."""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class HeldCheckout:
    """The checkout's row, as far as phases look at it; ``total`` in minor units, None until prices are locked."""

    id: str
    state: str
    version: int
    currency: str | None
    total: int | None
    on_shortage: str
    adjustments: list[Any]
    results: dict[str, Any]
    attempts_left: int
    attempt_id: str | None
    payment_status: str
    next_action: dict[str, Any] | None
    last_error: dict[str, Any] | None
    #: The events that webhook endpoints want now (``store.webhooks.WANTED``).
    wanted: list[str]


@dataclass(frozen=True, slots=True)
class HeldCart:
    """The cart's row, as far as phases look at it."""

    id: str
    session_id: str
    customer_id: str | None
    currency: str
    email: str | None
    locked_by: str | None
    order_reference: str | None


@dataclass(frozen=True)
class Held:
    """A checkout whose row and cart this transaction has locked, and which may go on.

    ``stored`` is what the phase answered when it was done before: to be answered again, with nothing done.
    """

    checkout: HeldCheckout
    cart: HeldCart
    stored: dict[str, Any] | None

    @property
    def id(self) -> str:
        """The checkout's id."""
        return self.checkout.id

    @property
    def price(self) -> tuple[int, str]:
        """What the checkout costs, in minor units of a currency; for what runs once its prices are locked."""
        total, currency = self.checkout.total, self.checkout.currency
        assert total is not None  # noqa: S101 - the fence admits phases after the price lock only then
        assert currency is not None  # noqa: S101
        return total, currency

    def answer(self, kind: type[Result]) -> Result | None:
        """The stored result as the message it was, None when the phase was not done yet."""
        if self.stored is None:
            return None
        result: Result = _adapter(cast(Any, kind)).validate_python(self.stored)
        return result


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
