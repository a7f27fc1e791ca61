"""What every activity that calls the payment gateway shares: heartbeats, errors in Temporal's words, giving money back.

No transaction is open while the gateway is called: locks would be held for as long as a third party likes.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from temporalio.exceptions import ApplicationError

from checkout.activities.beating import beating
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import Compensated, CompensationInput
from checkout.domain.words import PaymentStatus
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, GatewayError, Payment, Refused, Unavailable
from checkout.payments.settle import settle_to_zero
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.statements import Session
from checkout.store import payments
from checkout.store.fence import Undoing, begin_compensation

log = structlog.get_logger(__name__)

#: The longest text of a gateway's that is kept, in characters.
_LONGEST = 500


class GatewayAway(ApplicationError):
    """The gateway does not answer. Histories keep the message; ``for_ops``, with the gateway's words, is beside it."""

    def __init__(self, error: Unavailable) -> None:
        super().__init__(f"the payment gateway does not answer: {error}", type="gateway_unavailable")
        self.for_ops = f"{self.message}: {error.said[:_LONGEST]}" if error.said else self.message


@asynccontextmanager
async def at_gateway() -> AsyncIterator[None]:
    """Around the work of an activity that calls the gateway.

    Sends heartbeats meanwhile, by which a dead worker is noticed and a cancellation arrives. ``Unavailable`` becomes an
    error that is retried and whose message says no more than that the gateway did not answer, and how; a refusal that
    the work has no answer to, such as one to give a difference back, one that says its code alone (G7).
    """
    try:
        async with beating():
            yield
    except Unavailable as error:
        raise GatewayAway(error) from None
    except Refused as refusal:
        log.warning("gateway_refused", **said(refusal.code, refusal.detail))
        raise ApplicationError(f"the payment gateway refuses: {refusal.code}", type="gateway_refused") from None


def refused(refusal: Refused, detail: str, code: str = "gateway_refused") -> DefiniteFailure:
    """The gateway refuses what a phase asked of it: definite, and not the buyer's doing.

    ``detail`` is our sentence. The gateway's own stands in the attempt's row: it may repeat what was sent, and no
    history is to keep that (G7).
    """
    return DefiniteFailure(code, detail, benign=False, internal={"gateway_code": refusal.code})


def people_have_to(
    what: str, payment_id: str, refusal: Refused, *, checkout_id: str, non_retryable: bool = False
) -> ApplicationError:
    """The gateway refuses for good to give a payment's money back; ``what``: "give" or "send".

    As in :func:`refused` the history has its code alone; its sentence is in the log.
    """
    log.warning(
        "money_back_refused", checkout_id=checkout_id, payment_id=payment_id, **said(refusal.code, refusal.detail)
    )
    return ApplicationError(
        f"the payment gateway refuses to {what} the money of {payment_id} back, people have to: {refusal.code}",
        type="gateway_refused",
        non_retryable=non_retryable,
    )


def said(code: str | None, detail: str | None, token: str | None = None) -> dict[str, object]:
    """The columns of what the gateway said instead of doing it, for ops: cut, and without the token."""
    if detail and token:
        detail = detail.replace(token, "…")
    return {"gateway_code": (code or "")[:_LONGEST] or None, "gateway_detail": (detail or "")[:_LONGEST] or None}


@dataclass(frozen=True)
class Settlement:
    """What came of settling several payment objects: (attempt id, payment) of each, and the first error.

    ``refusals``: (attempt id, what the gateway said) of those that it refuses to settle.
    """

    settled: list[tuple[str, Payment]] = field(default_factory=list)
    refusals: list[tuple[str, Refused]] = field(default_factory=list)
    error: GatewayError | None = None

    def complete(self) -> list[tuple[str, Payment]]:
        """The settled payments; raises the error (Unavailable, Refused) where there was one."""
        if self.error is not None:
            raise self.error
        return self.settled


async def settle_all(gateway: Gateway, checkout_id: str, objects: Sequence[tuple[str, str]]) -> Settlement:
    """Settle payment objects (attempt id, gateway's id) of a checkout to zero, each whatever becomes of the others."""
    settled: list[tuple[str, Payment]] = []
    refusals: list[tuple[str, Refused]] = []
    first: GatewayError | None = None
    for attempt_id, payment_id in objects:
        try:
            payment = await settle_to_zero(gateway, payment_id, AttemptKeys(checkout_id, attempt_id))
            settled.append((attempt_id, payment))
        except GatewayError as error:
            first = first or error
            if isinstance(error, Refused):
                refusals.append((attempt_id, error))
    return Settlement(settled, refusals, first)


def settled_columns(payment: Payment) -> dict[str, object]:
    """What an attempt's row says of its settled payment."""
    return {
        "status": payment.status.value,
        "authorized": payment.authorized,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "token": None,
    }


async def give_back(sessions: Sessions, gateway: Gateway, given: CompensationInput) -> Compensated:
    """The compensation of both payment phases: *every* attempt of the checkout is settled to zero.

    First the checkout is moved to ``compensating``, so that an attempt of a phase which is still on its way stores
    nothing from now on, and so confirms and captures nothing that this would not see. Counts the payment objects that
    were settled. What the gateway refuses for good no quick retry mends, so that it is a definite failure; the workflow
    tries it again after a pause, and people see it until they have resolved it. Raises AlreadyCompleted.
    """
    version, objects = await in_direct_transaction(sessions, lambda session: _begin(session, given))
    if not objects:
        return Compensated(version)
    settlement = await settle_all(gateway, given.checkout_id, objects)
    done = await in_direct_transaction(sessions, lambda session: _finish(session, given, settlement))
    if isinstance(settlement.error, Refused):
        refused_ids = ", ".join(dict(objects)[attempt_id] for attempt_id, _ in settlement.refusals)
        raise people_have_to("give", refused_ids, settlement.error, checkout_id=given.checkout_id, non_retryable=True)
    settlement.complete()
    return done


async def _begin(session: Session, given: CompensationInput) -> tuple[int, list[tuple[str, str]]]:
    undoing = await begin_compensation(session, given)
    if undoing.checkout is None:
        return undoing.version, []
    await payments.discard_unused(session, given.checkout_id)
    attempts = await payments.attempts_of(session, given.checkout_id)
    objects = payments.unsettled(attempts)
    return undoing.version if objects else await note_status(session, undoing, attempts), objects


async def _finish(session: Session, given: CompensationInput, settlement: Settlement) -> Compensated:
    undoing = await begin_compensation(session, given)
    for attempt_id, payment in settlement.settled:
        await payments.record(session, attempt_id, **settled_columns(payment))
    for attempt_id, refusal in settlement.refusals:
        await payments.record(session, attempt_id, **said(refusal.code, refusal.detail))
    attempts = await payments.attempts_of(session, given.checkout_id)
    return Compensated(await note_status(session, undoing, attempts), len(settlement.settled))


async def note_status(session: Session, undoing: Undoing, attempts: Sequence[payments.AttemptRow]) -> int:
    """Write what the checkout's payment has come to, once all of it is settled; gives the row's version.

    One that nobody approved or transferred is void as well: its object was cancelled.
    """
    checkout = undoing.checkout
    if checkout is None or payments.unsettled(attempts):
        return undoing.version
    moved = [attempt for attempt in attempts if attempt.authorized]
    refunded = any(attempt.refunded for attempt in moved)
    status = PaymentStatus.REFUNDED if refunded else PaymentStatus.VOIDED
    if checkout.payment_status == status or not (moved or checkout.payment_status in _WAITING):
        return undoing.version
    return await payments.set_payment_status(session, checkout.id, status)


#: What a checkout says of a payment that has moved no money yet, and still may.
_WAITING = {PaymentStatus.REQUIRES_ACTION, PaymentStatus.PENDING}
