"""Looks at the gateway for what became of an attempt that it could not answer at once.

One transaction that checks the checkout's row before the gateway is asked, one after, none during (G5). An outcome is
stored once; as long as there is none, a look changes nothing but what the buyer is told to do.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import NoReturn

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway, refused, said
from checkout.activities.payment_outcomes import (
    Attempt,
    authorized,
    close,
    decline,
    replaced,
    settle_difference,
)
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure, Failure
from checkout.domain.messages import Authorization, Funds, PaymentCheckInput
from checkout.domain.times import rfc3339
from checkout.domain.words import AttemptStatus, PaymentStatus, Phase, State
from checkout.payments.port import DeclineCode, Gateway, GatewayStatus, Payment, Refused, next_action_document
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.statements import Session
from checkout.store import payments
from checkout.store.fence import change, enter, finish
from checkout.store.held import Held

#: Notes in a transaction why an attempt came to nothing.
Close = Callable[[Session, Attempt, DefiniteFailure, Mapping[str, object]], Awaitable[None]]

_AUTHORIZED = {GatewayStatus.AUTHORIZED, GatewayStatus.CAPTURED}
_WAITING = {GatewayStatus.CREATED, GatewayStatus.REQUIRES_ACTION, GatewayStatus.PENDING}


@dataclass(frozen=True)
class PaymentCheck:
    """Finds out what the buyer did, and whether his money has come."""

    sessions: Sessions
    gateway: Gateway

    @performs(contract.PAYMENT_CHECK)
    async def approval(self, given: PaymentCheckInput) -> Authorization:
        """What became of an attempt that the buyer was to approve; it may still wait for him.

        Raises Fenced, DefiniteFailure ``authorized_amount_differs`` (settled to zero by then), ``gateway_refused``,
        ``attempt_replaced``.
        """
        async with at_gateway():
            begun = await in_direct_transaction(self.sessions, lambda session: _begin(session, given, "approval"))
            held, attempt = begun
            if (answer := held.answer(Authorization)) is not None:
                return answer
            payment = await self._fetch(attempt, close)
            if payment.status in _WAITING:
                return _still_waits(held, payment)
            if payment.status not in _AUTHORIZED:
                code = payment.decline_code or DeclineCode.NOT_APPROVED
                why = said(payment.gateway_code, None)
                return await in_direct_transaction(self.sessions, lambda session: decline(session, attempt, code, why))
            if (payment.currency, payment.authorized) != (attempt.currency, attempt.total):
                await settle_difference(self.sessions, self.gateway, attempt, payment)
            return await in_direct_transaction(self.sessions, lambda session: authorized(session, attempt, payment))

    @performs(contract.FUNDS_CHECK)
    async def funds(self, given: PaymentCheckInput) -> Funds:
        """Whether a bank transfer has brought the total; what is missing is written where the buyer sees it.

        Raises Fenced, DefiniteFailure ``funds_refused``, ``gateway_refused``, ``attempt_replaced``.
        """
        async with at_gateway():
            held, attempt = await in_direct_transaction(self.sessions, lambda session: _begin(session, given, "funds"))
            if (answer := held.answer(Funds)) is not None:
                return answer
            payment = await self._fetch(attempt, _close_funds)
            if payment.currency != attempt.currency or payment.amount != attempt.total:
                await self._refuse(
                    attempt, "the bank transfer is waited for with another amount than the total", payment
                )
            if payment.status in _AUTHORIZED and payment.authorized == attempt.total:
                return await in_direct_transaction(self.sessions, lambda session: _arrived(session, attempt, payment))
            if payment.status is not GatewayStatus.PENDING:
                await self._refuse(attempt, "the bank transfer is not waited for any more", payment)
            return await in_direct_transaction(self.sessions, lambda session: _missing(session, attempt, payment))

    async def _fetch(self, attempt: Attempt, close_attempt: Close) -> Payment:
        assert attempt.payment_id is not None  # noqa: S101 - only what was confirmed is looked at
        try:
            return await self.gateway.fetch(attempt.payment_id)
        except Refused as refusal:
            failure, why = refused(refusal, "the payment is not known any more"), said(refusal.code, refusal.detail)
            await in_direct_transaction(self.sessions, lambda session: close_attempt(session, attempt, failure, why))
            raise failure from None

    async def _refuse(self, attempt: Attempt, detail: str, payment: Payment) -> NoReturn:
        """The transfer cannot complete this checkout. Raises DefiniteFailure ``funds_refused``."""
        internal = {"gateway_code": payment.status.value}
        failure = DefiniteFailure(
            "funds_refused", detail, {"authorized": payment.authorized}, benign=False, internal=internal
        )
        why = said(payment.status.value, None)
        await in_direct_transaction(self.sessions, lambda session: _close_funds(session, attempt, failure, why))
        raise failure


async def _begin(session: Session, given: PaymentCheckInput, what: str) -> tuple[Held, Attempt]:
    phase = Phase.PAYMENT_AUTHORIZATION if what == "approval" else Phase.PAYMENT_CAPTURE
    key = f"{given.attempt_id}:{what}"
    held = await enter(session, given.checkout_id, phase, key=key)
    attempts = await payments.attempts_of(session, given.checkout_id)
    row = next((one for one in attempts if one.id == given.attempt_id), None)
    if row is None or row.gateway_payment_id is None or held.checkout.attempt_id != row.id:
        raise replaced()
    total, currency = held.price
    attempt = Attempt(
        id=row.id,
        checkout_id=given.checkout_id,
        method=row.method,
        token=None,
        payment_id=row.gateway_payment_id,
        currency=currency,
        total=total,
        others=[],
        key=key,
    )
    return held, attempt


def _still_waits(held: Held, payment: Payment) -> Authorization:
    return Authorization(
        version=held.checkout.version,
        authorized=False,
        attempts_left=held.checkout.attempts_left,
        gateway_reference=payment.payment_id,
        waits_for=PaymentStatus.REQUIRES_ACTION,
    )


async def _enter_funds(session: Session, attempt: Attempt) -> Held:
    held = await enter(session, attempt.checkout_id, Phase.PAYMENT_CAPTURE, key=attempt.key)
    if held.checkout.attempt_id != attempt.id:
        raise replaced()
    return held


async def _arrived(session: Session, attempt: Attempt, payment: Payment) -> Funds:
    held = await _enter_funds(session, attempt)
    if (answer := held.answer(Funds)) is not None:
        return answer
    return await finish(
        session,
        held,
        Phase.PAYMENT_CAPTURE,
        State.CAPTURING,
        Funds(version=0, arrived=True, missing=0, unowed=payment.unowed - payment.returned),
        payments.recorded(attempt.id, status=AttemptStatus.AUTHORIZED.value, authorized=payment.authorized),
        key=attempt.key,
        payment_status=PaymentStatus.AUTHORIZED.value,
        next_action=None,
        last_error=None,
    )


async def _missing(session: Session, attempt: Attempt, payment: Payment) -> Funds:
    """Nothing is written where nothing has come since the last look."""
    held = await _enter_funds(session, attempt)
    if (answer := held.answer(Funds)) is not None:
        return answer
    action = None if payment.next_action is None else next_action_document(payment.next_action)
    version = held.checkout.version
    if payment.authorized and (held.checkout.next_action != action or held.checkout.last_error is None):
        figures = {"currency": attempt.currency, "received": payment.authorized, "missing": payment.missing}
        detail = "the transfer has brought less than the total: the rest is missing"
        failure = Failure("funds_missing", Phase.PAYMENT_CAPTURE, detail, figures, rfc3339(datetime.now(UTC)))
        await payments.record(session, attempt.id, authorized=payment.authorized)
        version = await change(session, held, State.AWAITING_FUNDS, next_action=action, last_error=asdict(failure))
    return Funds(version, arrived=False, missing=payment.missing)


async def _close_funds(session: Session, attempt: Attempt, failure: DefiniteFailure, why: Mapping[str, object]) -> None:
    """Note why a transfer came to nothing; what it has brought, the compensation gives back."""
    if (await _enter_funds(session, attempt)).stored is None:
        await payments.record(session, attempt.id, **why, code=failure.code, message=failure.detail)
