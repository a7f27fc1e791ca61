"""Phase 4, payment_authorization: authorize the frozen total; its compensation: void."""

from collections.abc import Sequence
from dataclasses import dataclass

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway, give_back, refused, said, settle_all, settled_columns
from checkout.activities.payment_outcomes import (
    Attempt,
    authorized,
    close,
    decline,
    enter_attempt,
    replaced,
    settle_difference,
    waits,
)
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import Authorization, AuthorizationInput, Compensated, CompensationInput
from checkout.domain.words import PaymentStatus, Phase, State
from checkout.payments.port import Declined, Gateway, GatewayStatus, Payment, Refused
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.statements import Session
from checkout.store import payments
from checkout.store.fence import change, enter
from checkout.store.held import Held

PHASE = Phase.PAYMENT_AUTHORIZATION


@dataclass(frozen=True)
class PaymentAuthorization:
    """Authorizes, and voids what was authorized.

    The order of the steps is what G5 rests on (each *[…]* is one transaction that locks and checks the checkout's row):

    1. *[take the attempt up: from here on it is the one that counts, and older ones can store nothing any more]*
    2. settle all older attempts to zero, declined ones too
    3. create the payment object, which moves no money
    4. *[store its id]*, so that whoever undoes the checkout knows the object before it can hold money
    5. confirm it
    6. *[store what came of it]*
    """

    sessions: Sessions
    gateway: Gateway

    @performs(contract.PAYMENT_AUTHORIZATION)
    async def authorize(self, given: AuthorizationInput) -> Authorization:
        """Authorize the frozen total by a stored attempt; a decline is a result, and so is that the buyer has to act.

        Raises Fenced, DefiniteFailure ``gateway_refused``, ``authorized_amount_differs`` (settled to zero by then),
        ``attempt_unknown``, ``attempt_replaced``, ``no_attempts_left``.
        """
        async with at_gateway():
            attempt = await in_direct_transaction(self.sessions, lambda session: _take_up(session, given))
            if isinstance(attempt, Authorization):
                return attempt
            try:
                prepared = await self._prepare(attempt)
                if isinstance(prepared, Authorization):
                    return prepared
                payment = await self.gateway.confirm(prepared, key=attempt.keys.confirm(), return_url=given.return_url)
            except Declined as declined:
                code, why = declined.code, said(declined.gateway_code, declined.detail, attempt.token)
                return await in_direct_transaction(self.sessions, lambda session: decline(session, attempt, code, why))
            except Refused as refusal:
                failure = refused(refusal, "the payment cannot be authorized")
                why = said(refusal.code, refusal.detail, attempt.token)
                await in_direct_transaction(self.sessions, lambda session: close(session, attempt, failure, why))
                raise failure from None
            if payment.status in {GatewayStatus.REQUIRES_ACTION, GatewayStatus.PENDING}:
                return await in_direct_transaction(self.sessions, lambda session: waits(session, attempt, payment))
            if (payment.currency, payment.authorized) != (attempt.currency, attempt.total):
                await settle_difference(self.sessions, self.gateway, attempt, payment)
            return await in_direct_transaction(self.sessions, lambda session: authorized(session, attempt, payment))

    @performs(contract.VOID_PAYMENT)
    async def void(self, given: CompensationInput) -> Compensated:
        """Settle every attempt of the checkout to zero. Raises AlreadyCompleted."""
        async with at_gateway():
            return await give_back(self.sessions, self.gateway, given)

    async def _prepare(self, attempt: Attempt) -> str | Authorization:
        """Steps 2 to 4; gives the id of the payment object, or the answer that another run of this has stored."""
        settled = (await settle_all(self.gateway, attempt.checkout_id, attempt.others)).complete()
        payment_id = attempt.payment_id
        if payment_id is None:
            created = await self.gateway.create(
                checkout_id=attempt.checkout_id,
                attempt_id=attempt.id,
                currency=attempt.currency,
                amount=attempt.total,
                method=attempt.method,
                token=attempt.token,
                key=attempt.keys.create(),
            )
            payment_id = created.payment_id
        if settled or attempt.payment_id is None:
            answer = await in_direct_transaction(
                self.sessions, lambda session: _prepared(session, attempt, payment_id, settled)
            )
            return answer or payment_id
        return payment_id


async def _take_up(session: Session, given: AuthorizationInput) -> Attempt | Authorization:
    held = await enter(session, given.checkout_id, PHASE, key=given.attempt_id)
    if (answer := held.answer(Authorization)) is not None:
        return answer
    attempts = await payments.attempts_of(session, given.checkout_id)
    attempt = next((one for one in attempts if one.id == given.attempt_id), None)
    if attempt is None:
        raise DefiniteFailure("attempt_unknown", "there is no such payment attempt", benign=False)
    if held.checkout.attempt_id != attempt.id:
        await _make_current(session, held, attempts, attempt)
    others = payments.unsettled([one for one in attempts if one.id != attempt.id])
    total, currency = held.price
    return Attempt(
        id=attempt.id,
        checkout_id=given.checkout_id,
        method=attempt.method,
        token=attempt.token,
        payment_id=attempt.gateway_payment_id,
        currency=currency,
        total=total,
        others=others,
        key=attempt.id,
    )


async def _make_current(
    session: Session, held: Held, attempts: Sequence[payments.AttemptRow], attempt: payments.AttemptRow
) -> None:
    """Make ``attempt`` the one that counts. An attempt is taken up once: a late one never takes its place back."""
    if held.checkout.attempts_left < 1:
        raise DefiniteFailure("no_attempts_left", "all payment attempts are used up", benign=False)
    number = 1 + max((one.number or 0 for one in attempts), default=0)
    total, currency = held.price
    if not await payments.take_up(session, attempt.id, number=number, amount=total, currency=currency):
        raise replaced()
    await change(
        session,
        held,
        State.AUTHORIZING,
        attempt_id=attempt.id,
        payment_method=attempt.method,
        payment_status=PaymentStatus.NONE.value,
        next_action=None,
    )


async def _prepared(
    session: Session, attempt: Attempt, payment_id: str, settled: Sequence[tuple[str, Payment]]
) -> Authorization | None:
    held = await enter_attempt(session, attempt)
    for other, payment in settled:
        await payments.record(session, other, **settled_columns(payment))
    if attempt.payment_id is None and not await payments.record_created(session, attempt.id, payment_id):
        raise replaced()
    return held.answer(Authorization)
