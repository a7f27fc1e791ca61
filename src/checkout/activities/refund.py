"""Refunds after the sale: the amount is kept free under the order's lock, then the gateway gives it back, once."""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.exceptions import ApplicationError

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure
from checkout.domain.money import money_text
from checkout.domain.refund_plan import plan
from checkout.domain.refunds import Refunded, RefundInput, RefundReserved, RefundStatus
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Payment, Refused
from checkout.runtime.database import Sessions, in_transaction
from checkout.store import refunds
from checkout.store.tables import Refund

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Refunding:
    """Decides and gives back: one transaction before the gateway is called, one after, none during."""

    sessions: Sessions
    gateway: Gateway

    @performs(contract.RESERVE_REFUND)
    async def reserve(self, given: RefundInput) -> RefundReserved:
        """Decide what goes back, and keep it free: refunds that run at once never give back more than was captured.

        Raises DefiniteFailure as ``domain.refund_plan.plan`` does; the refund is refused then, and stays so.
        """
        decided = await in_transaction(self.sessions, lambda session: _decide(session, given))
        if isinstance(decided, DefiniteFailure):
            raise decided
        return decided

    @performs(contract.REFUND_ORDER)
    async def give_back(self, given: RefundInput) -> Refunded:
        """Give the money back and write it down with the units that come back into stock, once for the refund.

        Raises DefiniteFailure ``refund_refused`` where the gateway refuses for good: then nothing went back, and the
        amount is free again.
        """
        async with at_gateway():
            refund = await in_transaction(self.sessions, lambda session: _begun(session, given))
            if refund.status == RefundStatus.PENDING:
                await self._give_back(given, refund)
            done = await in_transaction(self.sessions, lambda session: _finish(session, given))
        log.info("order_refunded", refund_id=given.refund_id, order=given.order_reference, amount=done.amount)
        return done

    async def _give_back(self, given: RefundInput, refund: Refund) -> None:
        try:
            await self._ask(refund)
        except Refused as refused:
            code, detail = refused.code, refused.detail
            failure = await in_transaction(self.sessions, lambda session: _refuse(session, given, code, detail))
            raise failure from None

    async def _ask(self, refund: Refund) -> None:
        payment_id, checkout_id, attempt_id = refund.gateway_payment_id, refund.checkout_id, refund.attempt_id
        assert payment_id is not None  # noqa: S101 - what is reserved names its payment
        assert checkout_id is not None  # noqa: S101
        assert attempt_id is not None  # noqa: S101
        assert refund.amount is not None  # noqa: S101
        if refund.gateway != self.gateway.name:
            raise Refused(
                "other_gateway", f"the order was paid at {refund.gateway}, the shop is at {self.gateway.name}"
            )
        key = AttemptKeys(checkout_id, attempt_id).refund_after_sale(refund.id)
        payment = await self.gateway.refund(payment_id, amount=refund.amount, key=key)
        _check(refund, payment)


def _check(refund: Refund, payment: Payment) -> None:
    """An answer that does not say that so much went back counts as none: it is asked again, and people see it."""
    amount, currency = refund.amount or 0, refund.currency or payment.currency
    if payment.currency != refund.currency or payment.refunded < amount:
        said, asked = money_text(payment.refunded, payment.currency), money_text(amount, currency)
        raise ApplicationError(f"the gateway says {said} went back, not {asked}", type="refund_differs")


async def _decide(session: AsyncSession, given: RefundInput) -> RefundReserved | DefiniteFailure:
    refund = await refunds.lock(session, given.refund_id, given.order_reference)
    if refund.status == RefundStatus.REFUSED:
        return _failure(refund)
    if refund.status != RefundStatus.REQUESTED:
        return RefundReserved(refund.amount or 0, refund.currency or "")
    sold = await refunds.sold(session, given.order_reference)
    wanted = refund.wanted_lines
    lines = None if wanted is None else [(line["sku"], line["quantity"]) for line in wanted]
    try:
        planned = plan(sold, amount=refund.wanted_amount, lines=lines)
    except DefiniteFailure as failure:
        # Returned, not raised: the row that says so is to be committed.
        await refunds.refuse(session, refund.id, failure)
        return failure
    await refunds.reserve(session, refund, planned, sold.currency)
    return RefundReserved(planned.amount, sold.currency)


async def _begun(session: AsyncSession, given: RefundInput) -> Refund:
    refund = await refunds.get(session, given.refund_id)
    if refund.status == RefundStatus.REFUSED:
        raise _failure(refund)
    return refund


async def _finish(session: AsyncSession, given: RefundInput) -> Refunded:
    refund = await refunds.lock(session, given.refund_id, given.order_reference)
    if refund.status == RefundStatus.REFUNDED:
        status, units = await refunds.order_status(session, given.order_reference), refund.restocked
    else:
        status, units = await refunds.finish(session, refund)
    return Refunded(refund.amount or 0, refund.currency or "", units, status.value)


async def _refuse(session: AsyncSession, given: RefundInput, code: str, detail: str) -> DefiniteFailure:
    """The failure. A run beside this one may have given the money back meanwhile: what is written stays."""
    refund = await refunds.lock(session, given.refund_id, given.order_reference)
    failure = DefiniteFailure(
        "refund_refused",
        "the payment gateway refuses this refund; nothing went back, and the amount may be refunded otherwise",
        {"gateway_code": code},
        benign=False,
    )
    if refund.status == RefundStatus.PENDING:
        await refunds.refuse(session, refund.id, failure, gateway_code=code, gateway_detail=detail)
    return failure


def _failure(refund: Refund) -> DefiniteFailure:
    """Why a refund was refused, as it was told then."""
    told = refund.failure or {}
    return DefiniteFailure(
        told.get("code", "refund_refused"),
        told.get("detail", "the refund was refused"),
        told.get("context"),
        benign=told.get("benign", True),
    )
