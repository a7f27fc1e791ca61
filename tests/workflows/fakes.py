"""Activities that record their calls and do as they are told: for what real parts cannot do at a chosen moment."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.contract import ActivityContract
from checkout.domain.errors import Failure
from checkout.domain.events import Told
from checkout.domain.webhooks import Delivered, GivenUp, Planned
from checkout.domain.words import PaymentStatus

#: What one call of an activity does instead of succeeding: raises, waits, or answers otherwise.
Act = Callable[[], Awaitable[Any]]

TOTAL = 5938


class Fakes:
    """Every activity of the contract, answering as a checkout of ``total`` (minor units) would.

    ``calls`` has each call that began, in order; ``local`` those of them that ran as local activities.
    """

    def __init__(self, total: int = TOTAL) -> None:
        self.calls: list[str] = []
        self.local: list[str] = []
        self.inputs: dict[str, list[Any]] = defaultdict(list)
        self._total = total
        self._acts: dict[str, deque[Act]] = defaultdict(deque)
        self._attempts_left = 3
        self._version = 0

    def activities(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [self._fake(one) for one in contract.EVERY_ACTIVITY]

    def then(self, activity: ActivityContract[Any, Any], *acts: Act) -> "Fakes":
        """The next calls of the activity do this, one after the other; those after them succeed."""
        self._acts[activity.name].extend(acts)
        return self

    def count(self, activity: ActivityContract[Any, Any]) -> int:
        """How often the activity was called."""
        return self.calls.count(activity.name)

    def undone(self) -> list[str]:
        """The compensations that were called, in order."""
        names = {one.name for one in contract.COMPENSATION_OF.values()}
        return [name for name in self.calls if name in names]

    def _fake(self, one: ActivityContract[Any, Any]) -> Callable[..., Any]:
        async def call(argument: Any) -> Any:
            self.calls.append(one.name)
            if activity.info().is_local:
                self.local.append(one.name)
            self.inputs[one.name].append(argument)
            acts = self._acts[one.name]
            answer = await acts.popleft()() if acts else None
            return answer if answer is not None else self._succeed(one, argument)

        call.__annotations__ = {"argument": one.takes, "return": one.gives}
        return activity.defn(name=one.name)(call)

    def _succeed(self, one: ActivityContract[Any, Any], argument: Any) -> Any:
        self._version += 1
        answers: dict[str, Callable[[], Any]] = {
            contract.CART_VALIDATION.name: lambda: m.CartValidated(self._version, "EUR", 1, 2),
            contract.INVENTORY_RESERVATION.name: lambda: m.StockReserved(self._version, 2, ["main"]),
            contract.PRICE_LOCK.name: lambda: m.PricesLocked(self._version, "EUR", self._total),
            contract.PAYMENT_AUTHORIZATION.name: lambda: m.Authorization(self._version, True, self._attempts_left),
            contract.PAYMENT_CHECK.name: lambda: m.Authorization(self._version, True, self._attempts_left),
            contract.RETURN_UNOWED.name: lambda: m.Returned(0),
            contract.FUNDS_CHECK.name: lambda: m.Funds(self._version, True, 0),
            contract.ORDER_CREATION.name: lambda: m.OrderCreated(self._version, "ORD-TEST"),
            contract.PAYMENT_CAPTURE.name: lambda: m.Captured(self._version, self._total),
            contract.STOCK_COMMIT.name: lambda: m.StockCommitted(self._version, 2),
            contract.TELL_LISTENER.name: lambda: Told(1),
            contract.PLAN_WEBHOOKS.name: Planned,
            contract.DELIVER_WEBHOOK.name: lambda: Delivered(200),
            contract.GIVE_UP_WEBHOOK.name: lambda: GivenUp(""),
            contract.RECORD_EXTENSION.name: lambda: m.Extended(self._version, argument.expires_at),
        }
        return answers.get(one.name, lambda: m.Compensated(self._version, 1))()

    def waits(self, what: PaymentStatus = PaymentStatus.REQUIRES_ACTION) -> Act:
        """An attempt that the buyer has to approve, still or again, or whose money is to come."""

        async def act() -> m.Authorization:
            self._version += 1
            return m.Authorization(self._version, False, self._attempts_left, waits_for=what)

        return act

    def declines(self, code: str = "card_declined") -> Act:
        """A payment attempt that the gateway declines."""

        async def act() -> m.Authorization:
            self._version += 1
            self._attempts_left -= 1
            failure = Failure(code, contract.PAYMENT_AUTHORIZATION.name, "the card was declined")
            return m.Authorization(self._version, False, self._attempts_left, failure)

        return act


def refuses(
    code: str, context: dict[str, Any] | None = None, *, benign: bool = True, internal: dict[str, Any] | None = None
) -> Act:
    """A definite failure, as activities raise it; ``internal`` is for ops alone."""

    async def act() -> None:
        raise ApplicationError(
            f"refused with {code}",
            context or {},
            *([internal] if internal else []),
            type=code,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN if benign else ApplicationErrorCategory.UNSPECIFIED,
        )

    return act


async def breaks() -> None:
    """A failure that another attempt may mend: a database or gateway that does not answer."""
    raise ConnectionError("no answer")


def broken(times: int) -> Sequence[Act]:
    """So many calls in a row that break."""
    return [breaks] * times


class Gate:
    """An activity that began and waits: ``reached`` tells that it has, ``open`` lets it go on, ``fail`` breaks it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()
        self._fails = False

    @property
    def always(self) -> "list[Gate]":
        """For every attempt: one that a stalled machine lets time out is followed by one that waits as well."""
        return [self] * 9

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()

    def fail(self) -> None:
        """Break it off, as a connection that is lost."""
        self._fails = True
        self._opened.set()

    async def __call__(self) -> None:
        """The act itself."""
        self.reached.set()
        while not self._opened.is_set():
            # A heartbeat, so that it is not taken for dead, and that a cancellation would arrive.
            if not activity.info().is_local:
                activity.heartbeat()
            try:
                await asyncio.wait_for(self._opened.wait(), 0.5)
            except TimeoutError:
                continue
        if self._fails:
            raise ConnectionError("lost")
