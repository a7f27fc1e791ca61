"""Phase 4, payment_authorization: authorize the frozen total; its compensation: void."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from checkout.activities.errors import phase_activity
from checkout.activities.gateway_calls import at_gateway, give_back, refused, settle_all, settled_columns
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure, Failure
from checkout.domain.messages import Authorization, AuthorizationInput, Compensated, CompensationInput
from checkout.domain.words import PaymentStatus, Phase, State
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import DeclineCode, Declined, Gateway, Payment, Refused
from checkout.payments.settle import settle_to_zero
from checkout.runtime.database import Sessions, in_transaction
from checkout.store import payments
from checkout.store.fence import Held, change, enter, finish
from checkout.store.tables import PaymentAttempt

PHASE = Phase.PAYMENT_AUTHORIZATION

_SENTENCES = {
    DeclineCode.CARD_DECLINED: "the card was declined",
    DeclineCode.INSUFFICIENT_FUNDS: "the card was declined: insufficient funds",
    DeclineCode.EXPIRED_CARD: "the card was declined: it has expired",
    DeclineCode.INVALID_TOKEN: "the payment token is not one the gateway knows",
    DeclineCode.NOT_APPROVED: "the payment was not approved",
}


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """An attempt that was taken up: what the gateway is asked for, and what has to be settled before."""

    id: str
    checkout_id: str
    method: str
    token: str | None
    payment_id: str | None
    currency: str
    total: int
    others: list[tuple[str, str]]

    @property
    def keys(self) -> AttemptKeys:
        return AttemptKeys(self.checkout_id, self.id)


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

    @phase_activity(contract.PAYMENT_AUTHORIZATION)
    async def authorize(self, given: AuthorizationInput) -> Authorization:
        """Authorize the frozen total by a stored attempt; a decline is a result, not a failure.

        Raises Fenced, DefiniteFailure ``gateway_refused``, ``authorized_amount_differs`` (settled to zero by then),
        ``attempt_unknown``, ``attempt_replaced``, ``no_attempts_left``.
        """
        async with at_gateway():
            attempt = await in_transaction(self.sessions, lambda session: _take_up(session, given))
            if isinstance(attempt, Authorization):
                return attempt
            try:
                prepared = await self._prepare(attempt)
                if isinstance(prepared, Authorization):
                    return prepared
                payment = await self.gateway.confirm(prepared, key=attempt.keys.confirm())
            except Declined as declined:
                code = declined.code
                return await in_transaction(self.sessions, lambda session: _decline(session, attempt, code))
            except Refused as refusal:
                failure = refused(refusal, "the payment gateway refuses to authorize")
                await in_transaction(self.sessions, lambda session: _close(session, attempt, failure))
                raise failure from None
            if (payment.currency, payment.authorized) != (attempt.currency, attempt.total):
                await self._settle_difference(attempt, payment)
            return await in_transaction(self.sessions, lambda session: _authorized(session, attempt, payment))

    @phase_activity(contract.VOID_PAYMENT)
    async def void(self, given: CompensationInput) -> Compensated:
        """Settle every attempt of the checkout to zero. Raises AlreadyCompleted."""
        async with at_gateway():
            return await give_back(self.sessions, self.gateway, given)

    async def _prepare(self, attempt: _Attempt) -> str | Authorization:
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
            answer = await in_transaction(
                self.sessions, lambda session: _prepared(session, attempt, payment_id, settled)
            )
            return answer or payment_id
        return payment_id

    async def _settle_difference(self, attempt: _Attempt, payment: Payment) -> None:
        """What the gateway authorized is not what the buyer was told: give it back and say so (G2)."""
        figures = {"currency": attempt.currency, "expected": attempt.total, "authorized": payment.authorized}
        if payment.currency != attempt.currency:
            figures["authorized_currency"] = payment.currency
        failure = DefiniteFailure(
            "authorized_amount_differs", "the gateway authorized another amount than the total", figures, benign=False
        )
        settled = await settle_to_zero(self.gateway, payment.payment_id, attempt.keys)
        await in_transaction(self.sessions, lambda session: _close(session, attempt, failure, settled))
        raise failure


async def _take_up(session: AsyncSession, given: AuthorizationInput) -> _Attempt | Authorization:
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
    total, currency = _price(held)
    return _Attempt(
        id=attempt.id,
        checkout_id=given.checkout_id,
        method=attempt.method,
        token=attempt.token,
        payment_id=attempt.gateway_payment_id,
        currency=currency,
        total=total,
        others=others,
    )


async def _make_current(
    session: AsyncSession, held: Held, attempts: Sequence[PaymentAttempt], attempt: PaymentAttempt
) -> None:
    """Make ``attempt`` the one that counts. An attempt is taken up once: a late one never takes its place back."""
    if held.checkout.attempts_left < 1:
        raise DefiniteFailure("no_attempts_left", "all payment attempts are used up", benign=False)
    number = 1 + max((one.number or 0 for one in attempts), default=0)
    total, currency = _price(held)
    if not await payments.take_up(session, attempt.id, number=number, amount=total, currency=currency):
        raise _replaced()
    await change(
        session,
        held,
        State.AUTHORIZING,
        attempt_id=attempt.id,
        payment_method=attempt.method,
        payment_status=PaymentStatus.NONE.value,
    )


def _price(held: Held) -> tuple[int, str]:
    total, currency = held.checkout.total, held.checkout.currency
    assert total is not None  # noqa: S101 - the fence admits this phase only once prices are locked
    assert currency is not None  # noqa: S101
    return total, currency


def _replaced() -> DefiniteFailure:
    return DefiniteFailure(
        "attempt_replaced", "another payment attempt has taken its place, or it was discarded", benign=False
    )


async def _enter(session: AsyncSession, attempt: _Attempt) -> Held:
    """The fence between and after the gateway's calls: the checkout may go on, and this attempt still counts."""
    held = await enter(session, attempt.checkout_id, PHASE, key=attempt.id)
    if held.checkout.attempt_id != attempt.id:
        raise _replaced()
    return held


async def _prepared(
    session: AsyncSession, attempt: _Attempt, payment_id: str, settled: Sequence[tuple[str, Payment]]
) -> Authorization | None:
    held = await _enter(session, attempt)
    for other, payment in settled:
        await payments.record(session, other, **settled_columns(payment))
    if attempt.payment_id is None and not await payments.record_created(session, attempt.id, payment_id):
        raise _replaced()
    return held.answer(Authorization)


async def _authorized(session: AsyncSession, attempt: _Attempt, payment: Payment) -> Authorization:
    held = await _enter(session, attempt)
    if (answer := held.answer(Authorization)) is not None:
        return answer
    await payments.record(session, attempt.id, status="authorized", authorized=payment.authorized)
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
        key=attempt.id,
        payment_status=PaymentStatus.AUTHORIZED.value,
        last_error=None,
    )


async def _decline(session: AsyncSession, attempt: _Attempt, code: DeclineCode) -> Authorization:
    held = await _enter(session, attempt)
    if (answer := held.answer(Authorization)) is not None:
        return answer
    left = held.checkout.attempts_left - 1
    failure = Failure(code.value, PHASE, _SENTENCES[code], {"attempts_left": left}, _now())
    await payments.record(session, attempt.id, status="declined", code=failure.code, message=failure.detail)
    return await finish(
        session,
        held,
        PHASE,
        # With no attempt left the checkout is about to be undone: nobody is asked to pay again.
        State.AWAITING_PAYMENT if left > 0 else State.AUTHORIZING,
        Authorization(version=0, authorized=False, attempts_left=left, declined=failure),
        key=attempt.id,
        attempts_left=left,
        last_error=asdict(failure),
    )


async def _close(
    session: AsyncSession, attempt: _Attempt, failure: DefiniteFailure, settled: Payment | None = None
) -> None:
    """Note why an attempt ended for good; what its object holds, the compensation gives back."""
    if (await _enter(session, attempt)).stored is not None:
        return  # another run of this activity has had the gateway's answer before
    columns = {"status": "declined", "token": None} if settled is None else settled_columns(settled)
    await payments.record(session, attempt.id, **columns, code=failure.code, message=failure.detail)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
