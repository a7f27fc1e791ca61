"""The payment attempts of a checkout.

Whoever changes one that was taken up holds the lock of its checkout's row (``store/fence.py``). One that was not may
be discarded at any time, so taking up and discarding decide by the attempt's row which of them came first.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from checkout.domain.words import PaymentStatus
from checkout.store.tables import Checkout, PaymentAttempt

#: What a gateway has confirmed to hold no money, now and for ever.
_SETTLED = frozenset({"voided", "refunded"})
#: Stored, and neither taken up nor discarded.
_UNUSED = (col(PaymentAttempt.number).is_(None), col(PaymentAttempt.status) == "new")


async def add_attempt(
    session: AsyncSession,
    *,
    attempt_id: str,
    checkout_id: str,
    cart_id: str,
    gateway: str,
    method: str,
    token: str | None,
) -> None:
    """Keep how a buyer wants to pay, before the workflow hears of it: it is told the attempt's id alone (G7)."""
    session.add(
        PaymentAttempt(
            id=attempt_id, checkout_id=checkout_id, cart_id=cart_id, gateway=gateway, method=method, token=token
        )
    )
    await session.flush()


async def attempts_of(session: AsyncSession, checkout_id: str) -> Sequence[PaymentAttempt]:
    """All attempts of a checkout: those that were taken up in their order, then the others."""
    statement = (
        select(PaymentAttempt)
        .where(col(PaymentAttempt.checkout_id) == checkout_id)
        .order_by(col(PaymentAttempt.number).nulls_last(), col(PaymentAttempt.created_at))
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).all()


def unsettled(attempts: Sequence[PaymentAttempt]) -> list[tuple[str, str]]:
    """(attempt id, gateway's payment id) of every attempt whose object may hold money or come to hold it.

    Declined ones too: a confirm that is still on its way may authorize them.
    """
    return [
        (attempt.id, attempt.gateway_payment_id)
        for attempt in attempts
        if attempt.gateway_payment_id is not None and attempt.status not in _SETTLED
    ]


async def record(session: AsyncSession, attempt_id: str, **columns: Any) -> None:
    """Write columns of an attempt."""
    await session.execute(
        update(PaymentAttempt)
        .where(col(PaymentAttempt.id) == attempt_id)
        .values(updated_at=func.now(), **columns)
        .execution_options(synchronize_session=False)
    )


async def take_up(session: AsyncSession, attempt_id: str, *, number: int, amount: int, currency: str) -> bool:
    """Give an attempt its number and what it is to pay; False when it was taken up or discarded meanwhile."""
    statement = (
        update(PaymentAttempt)
        .where(col(PaymentAttempt.id) == attempt_id, *_UNUSED)
        .values(number=number, amount=amount, currency=currency, updated_at=func.now())
        .returning(col(PaymentAttempt.id))
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).first() is not None


async def record_created(session: AsyncSession, attempt_id: str, payment_id: str) -> bool:
    """Keep the gateway's id of an attempt and erase its token: from here on the gateway has it.

    Of two runs that made the (same) object the second changes nothing that the first has stored since. False when the
    attempt does not have this id now: then the object must not be confirmed, nobody would know it.
    """
    fresh = col(PaymentAttempt.status) == "new"
    statement = (
        update(PaymentAttempt)
        .where(col(PaymentAttempt.id) == attempt_id, or_(fresh, col(PaymentAttempt.gateway_payment_id) == payment_id))
        .values(
            gateway_payment_id=payment_id,
            status=case((fresh, "created"), else_=col(PaymentAttempt.status)),
            token=null(),
            updated_at=func.now(),
        )
        .returning(col(PaymentAttempt.id))
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).first() is not None


async def discard_unused(session: AsyncSession, checkout_id: str) -> None:
    """Erase every token of a checkout that goes no further, and close the attempts that made no payment object."""
    unused = col(PaymentAttempt.gateway_payment_id).is_(None) & (col(PaymentAttempt.status) == "new")
    await session.execute(
        update(PaymentAttempt)
        .where(
            col(PaymentAttempt.checkout_id) == checkout_id,
            or_(unused, col(PaymentAttempt.token).is_not(None)),
        )
        .values(
            token=null(),
            status=case((unused, "discarded"), else_=col(PaymentAttempt.status)),
            updated_at=func.now(),
        )
        .execution_options(synchronize_session=False)
    )


async def discard_attempt(session: AsyncSession, attempt_id: str) -> None:
    """Erase the token of one attempt that was never taken up, and close it; one that was is left alone."""
    await session.execute(
        update(PaymentAttempt)
        .where(col(PaymentAttempt.id) == attempt_id, *_UNUSED)
        .values(token=null(), status="discarded", updated_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def set_payment_status(session: AsyncSession, checkout_id: str, status: PaymentStatus) -> int:
    """Write what the payment of a checkout stands at; gives the row's new version."""
    statement = (
        update(Checkout)
        .where(col(Checkout.id) == checkout_id)
        .values(payment_status=status.value)
        .returning(col(Checkout.version))
        .execution_options(synchronize_session=False)
    )
    return int((await session.execute(statement)).scalar_one())
