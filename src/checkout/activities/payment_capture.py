"""Phase 6, payment_capture: take what was authorized; its compensation: refund."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway, give_back, refused, said, settle_all, settled_columns
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import Captured, Compensated, CompensationInput, PhaseInput
from checkout.domain.words import AttemptStatus, PaymentStatus, Phase, State
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Payment, Refused
from checkout.payments.settle import settle_to_zero
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.statements import Session
from checkout.store import payments
from checkout.store.fence import enter, finish
from checkout.store.held import Held

PHASE = Phase.PAYMENT_CAPTURE


@dataclass(frozen=True, kw_only=True)
class _Authorized:
    """The attempt that is captured, and what else of the checkout has to be settled before."""

    attempt_id: str
    checkout_id: str
    payment_id: str
    currency: str
    total: int
    others: list[tuple[str, str]]
    #: Whether payments were stored that nobody used; their tokens are not kept.
    unused: bool

    @property
    def keys(self) -> AttemptKeys:
        return AttemptKeys(self.checkout_id, self.attempt_id)


@dataclass(frozen=True)
class PaymentCapture:
    """Captures, and refunds what was captured: one transaction before the gateway is called, one after, none during."""

    sessions: Sessions
    gateway: Gateway

    @performs(contract.PAYMENT_CAPTURE)
    async def capture(self, given: PhaseInput) -> Captured:
        """Capture the order's total, once.

        Raises Fenced, DefiniteFailure ``capture_refused``, ``captured_amount_differs`` (settled to zero by then),
        ``not_authorized``.
        """
        async with at_gateway():
            begun = await in_direct_transaction(self.sessions, lambda session: _begin(session, given))
            if isinstance(begun, Captured):
                return begun
            try:
                settled = (await settle_all(self.gateway, begun.checkout_id, begun.others)).complete()
                payment = await self._capture(begun)
            except Refused as refusal:
                failure = refused(refusal, "the payment cannot be captured", "capture_refused")
                why = said(refusal.code, refusal.detail)
                await in_direct_transaction(self.sessions, lambda session: _refused(session, begun, failure, why))
                raise failure from None
            if (payment.currency, payment.captured) != (begun.currency, begun.total):
                await self._settle_difference(begun, payment)
            return await in_direct_transaction(
                self.sessions, lambda session: _captured(session, begun, payment, settled)
            )

    @performs(contract.REFUND_PAYMENT)
    async def refund(self, given: CompensationInput) -> Compensated:
        """Settle every attempt of the checkout to zero. Raises AlreadyCompleted."""
        async with at_gateway():
            return await give_back(self.sessions, self.gateway, given)

    async def _capture(self, begun: _Authorized) -> Payment:
        try:
            return await self.gateway.capture(begun.payment_id, amount=begun.total, key=begun.keys.capture())
        except Refused:
            # A gateway that has forgotten the key may refuse what it has already done; its books decide.
            payment = await self.gateway.fetch(begun.payment_id)
            if payment.captured > payment.refunded:
                return payment
            raise

    async def _settle_difference(self, begun: _Authorized, payment: Payment) -> None:
        """What the gateway captured is not the order's total: give it back and say so (G2)."""
        figures = {"currency": begun.currency, "expected": begun.total, "captured": payment.captured}
        settled = await settle_to_zero(self.gateway, payment.payment_id, begun.keys)
        await in_direct_transaction(self.sessions, lambda session: _gave_back(session, begun, settled))
        raise DefiniteFailure(
            "captured_amount_differs", "the gateway captured another amount than the total", figures, benign=False
        )


async def _begin(session: Session, given: PhaseInput) -> _Authorized | Captured:
    held = await enter(session, given.checkout_id, PHASE)
    if (answer := held.answer(Captured)) is not None:
        return answer
    attempts = await payments.attempts_of(session, given.checkout_id)
    attempt = next((one for one in attempts if one.id == held.checkout.attempt_id), None)
    if attempt is None or attempt.gateway_payment_id is None or attempt.status != AttemptStatus.AUTHORIZED:
        raise DefiniteFailure("not_authorized", "no authorization is there to be captured", benign=False)
    total, currency = held.price
    return _Authorized(
        attempt_id=attempt.id,
        checkout_id=given.checkout_id,
        payment_id=attempt.gateway_payment_id,
        currency=currency,
        total=total,
        others=payments.unsettled([one for one in attempts if one.id != attempt.id]),
        unused=any(one.status == AttemptStatus.NEW for one in attempts),
    )


async def _captured(
    session: Session, begun: _Authorized, payment: Payment, settled: Sequence[tuple[str, Payment]]
) -> Captured:
    held: Held = await enter(session, begun.checkout_id, PHASE)
    if (answer := held.answer(Captured)) is not None:
        return answer
    for other, theirs in settled:
        await payments.record(session, other, **settled_columns(theirs))
    if begun.unused:
        await payments.discard_unused(session, begun.checkout_id)
    return await finish(
        session,
        held,
        PHASE,
        State.COMMITTING,
        Captured(version=0, amount=payment.captured),
        payments.recorded(begun.attempt_id, status=AttemptStatus.CAPTURED.value, captured=payment.captured),
        payment_status=PaymentStatus.CAPTURED.value,
    )


async def _refused(session: Session, begun: _Authorized, failure: DefiniteFailure, why: Mapping[str, object]) -> None:
    if (await enter(session, begun.checkout_id, PHASE)).stored is None:
        await payments.record(session, begun.attempt_id, **why, code=failure.code, message=failure.detail)


async def _gave_back(session: Session, begun: _Authorized, settled: Payment) -> None:
    await enter(session, begun.checkout_id, PHASE)
    await payments.record(session, begun.attempt_id, **settled_columns(settled))
