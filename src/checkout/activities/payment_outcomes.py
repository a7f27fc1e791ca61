"""What comes of a payment attempt, stored once: authorized, declined, waiting for the buyer or his bank, or closed.

Whoever learns it (the authorization itself, or a later look at the gateway) stores it under a key of its own. Every
function here is one transaction that enters the fence and checks that the attempt is still the one that counts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from checkout.activities.gateway_calls import settled_columns
from checkout.domain.errors import DefiniteFailure, Failure
from checkout.domain.messages import Authorization
from checkout.domain.times import rfc3339
from checkout.domain.words import AttemptStatus, PaymentStatus, Phase, State
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import DeclineCode, Gateway, GatewayStatus, Payment, next_action_document
from checkout.payments.settle import settle_to_zero
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.statements import Session
from checkout.store import payments
from checkout.store.fence import enter, finish
from checkout.store.held import Held

PHASE = Phase.PAYMENT_AUTHORIZATION

_SENTENCES = {
    DeclineCode.CARD_DECLINED: "the card was declined",
    DeclineCode.INSUFFICIENT_FUNDS: "the card was declined: insufficient funds",
    DeclineCode.EXPIRED_CARD: "the card was declined: it has expired",
    DeclineCode.INVALID_TOKEN: "the payment token is not one the gateway knows",
    DeclineCode.NOT_APPROVED: "the payment was not approved",
    DeclineCode.NOT_PROCESSED: "the payment could not be processed, and nothing was charged: it may be sent again",
}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt that was taken up: what the gateway is asked for, and what has to be settled before.

    ``key``: under what its outcome is stored; a look at the gateway later on has another than the authorization.
    """

    id: str
    checkout_id: str
    method: str
    token: str | None
    payment_id: str | None
    currency: str
    total: int
    others: list[tuple[str, str]]
    key: str

    @property
    def keys(self) -> AttemptKeys:
        return AttemptKeys(self.checkout_id, self.id)


def replaced() -> DefiniteFailure:
    """The attempt is not the one that counts."""
    return DefiniteFailure(
        "attempt_replaced", "another payment attempt has taken its place, or it was discarded", benign=False
    )


async def enter_attempt(session: Session, attempt: Attempt) -> Held:
    """The fence between and after the gateway's calls: the checkout may go on, and this attempt still counts."""
    held = await enter(session, attempt.checkout_id, PHASE, key=attempt.key)
    if held.checkout.attempt_id != attempt.id:
        raise replaced()
    return held


async def waits(session: Session, attempt: Attempt, payment: Payment) -> Authorization:
    """The buyer has to approve, or to send the money: what exactly is in the checkout's row, and nowhere else."""
    held = await enter_attempt(session, attempt)
    if (answer := held.answer(Authorization)) is not None:
        return answer
    pending = payment.status is GatewayStatus.PENDING
    status = PaymentStatus.PENDING if pending else PaymentStatus.REQUIRES_ACTION
    recorded = payments.recorded(attempt.id, status=status.value, authorized=payment.authorized)
    result = Authorization(
        version=0,
        authorized=False,
        attempts_left=held.checkout.attempts_left,
        gateway_reference=payment.payment_id,
        waits_for=status,
    )
    return await finish(
        session,
        held,
        PHASE,
        State.CREATING_ORDER if pending else State.REQUIRES_ACTION,
        result,
        recorded,
        key=attempt.key,
        payment_status=status.value,
        next_action=None if payment.next_action is None else next_action_document(payment.next_action),
        last_error=None,
    )


async def authorized(session: Session, attempt: Attempt, payment: Payment) -> Authorization:
    """The frozen total is authorized: the order may be made."""
    held = await enter_attempt(session, attempt)
    if (answer := held.answer(Authorization)) is not None:
        return answer
    recorded = payments.recorded(attempt.id, status=AttemptStatus.AUTHORIZED.value, authorized=payment.authorized)
    result = Authorization(
        version=0,
        authorized=True,
        attempts_left=held.checkout.attempts_left,
        gateway_reference=payment.payment_id,
    )
    return await finish(
        session,
        held,
        PHASE,
        State.CREATING_ORDER,
        result,
        recorded,
        key=attempt.key,
        payment_status=PaymentStatus.AUTHORIZED.value,
        next_action=None,
        last_error=None,
    )


async def decline(session: Session, attempt: Attempt, code: DeclineCode, why: Mapping[str, object]) -> Authorization:
    """The attempt came to nothing; the buyer may have others left, all of them where nobody has declined.

    ``why``: the gateway's words, as ``said`` has them.
    """
    held = await enter_attempt(session, attempt)
    if (answer := held.answer(Authorization)) is not None:
        return answer
    left = held.checkout.attempts_left - int(code.costs_an_attempt)
    failure = Failure(code.value, PHASE, _SENTENCES[code], {"attempts_left": left}, rfc3339(datetime.now(UTC)))
    status = AttemptStatus.DECLINED if code.costs_an_attempt else AttemptStatus.REFUSED
    recorded = payments.recorded(attempt.id, status=status.value, code=failure.code, message=failure.detail, **why)
    return await finish(
        session,
        held,
        PHASE,
        # With no attempt left the checkout is about to be undone: nobody is asked to pay again.
        State.AWAITING_PAYMENT if left > 0 else State.AUTHORIZING,
        Authorization(version=0, authorized=False, attempts_left=left, declined=failure),
        recorded,
        key=attempt.key,
        attempts_left=left,
        payment_status=PaymentStatus.NONE.value,
        next_action=None,
        last_error=asdict(failure),
    )


async def close(
    session: Session,
    attempt: Attempt,
    failure: DefiniteFailure,
    why: Mapping[str, object],
    settled: Payment | None = None,
) -> None:
    """Note why an attempt ended for good, which is no decline; what its object holds, the compensation gives back."""
    if (await enter_attempt(session, attempt)).stored is not None:
        return  # another run of this activity has had the gateway's answer before
    columns = {"status": AttemptStatus.REFUSED.value, "token": None} if settled is None else settled_columns(settled)
    await payments.record(session, attempt.id, **columns, **why, code=failure.code, message=failure.detail)


async def settle_difference(sessions: Sessions, gateway: Gateway, attempt: Attempt, payment: Payment) -> None:
    """What the gateway authorized is not what the buyer was told: give it back and say so (G2).

    Raises DefiniteFailure ``authorized_amount_differs``.
    """
    figures = {"currency": attempt.currency, "expected": attempt.total, "authorized": payment.authorized}
    if payment.currency != attempt.currency:
        figures["authorized_currency"] = payment.currency
    failure = DefiniteFailure(
        "authorized_amount_differs", "the gateway authorized another amount than the total", figures, benign=False
    )
    settled = await settle_to_zero(gateway, payment.payment_id, attempt.keys)
    await in_direct_transaction(sessions, lambda session: close(session, attempt, failure, {}, settled))
    raise failure
