"""The payment attempts of a checkout.

Whoever changes one that was taken up holds the lock of its checkout's row (``store/fence.py``). One that was not may
be discarded at any time, so taking up and discarding decide by the attempt's row which of them came first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from checkout.domain.words import AttemptStatus, PaymentStatus
from checkout.runtime.statements import Change, Session, Statement

#: What a gateway has confirmed to hold no money, now and for ever, or people have settled by hand.
_SETTLED = frozenset({AttemptStatus.VOIDED.value, AttemptStatus.REFUNDED.value, AttemptStatus.RESOLVED.value})


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A payment attempt; amounts in minor units, ``number`` None until it is taken up."""

    id: str
    number: int | None
    method: str
    token: str | None
    gateway_payment_id: str | None
    status: str
    authorized: int
    refunded: int


async def add_attempt(
    session: Session,
    *,
    attempt_id: str,
    checkout_id: str,
    cart_id: str,
    gateway: str,
    method: str,
    token: str | None,
) -> None:
    """Keep how a buyer wants to pay, before the workflow hears of it: it is told the attempt's id alone (G7)."""
    await _ADD.run(
        session,
        {
            "id": attempt_id,
            "checkout_id": checkout_id,
            "cart_id": cart_id,
            "gateway": gateway,
            "method": method,
            "token": token,
        },
    )


async def attempts_of(session: Session, checkout_id: str) -> Sequence[AttemptRow]:
    """All attempts of a checkout: those that were taken up in their order, then the others."""
    return [AttemptRow(**row) for row in await _ALL.rows(session, {"checkout_id": checkout_id})]


def unsettled(attempts: Sequence[AttemptRow]) -> list[tuple[str, str]]:
    """(attempt id, gateway's payment id) of every attempt whose object may hold money or come to hold it.

    Declined ones too: a confirm that is still on its way may authorize them.
    """
    return [
        (attempt.id, attempt.gateway_payment_id)
        for attempt in attempts
        if attempt.gateway_payment_id is not None and attempt.status not in _SETTLED
    ]


def recorded(attempt_id: str, **columns: Any) -> Change:
    """What writes columns of an attempt."""
    given = {f"attempt_{name}": value for name, value in columns.items()}
    return Change(_record(tuple(columns)), {**given, "recorded_attempt": attempt_id})


async def record(session: Session, attempt_id: str, **columns: Any) -> None:
    """Write columns of an attempt."""
    await recorded(attempt_id, **columns).run(session)


async def take_up(session: Session, attempt_id: str, *, number: int, amount: int, currency: str) -> bool:
    """Give an attempt its number and what it is to pay; False when it was taken up or discarded meanwhile."""
    parameters = {"id": attempt_id, "number": number, "amount": amount, "currency": currency}
    return await _TAKE_UP.row(session, parameters) is not None


async def record_created(session: Session, attempt_id: str, payment_id: str) -> bool:
    """Keep the gateway's id of an attempt and erase its token: from here on the gateway has it.

    Of two runs that made the (same) object the second changes nothing that the first has stored since. False when the
    attempt does not have this id now: then the object must not be confirmed, nobody would know it.
    """
    return await _CREATED.row(session, {"id": attempt_id, "payment_id": payment_id}) is not None


async def settle_by_hand(session: Session, checkout_id: str, *, compensation: str, who: str, action_id: int) -> int:
    """Mark the attempts that are not settled as settled by hand; how many they were.

    Who did what and why comes from the row ``action_id`` of the log of what admins did.
    """
    parameters = {
        "checkout_id": checkout_id,
        "settled": list(_SETTLED),
        "compensation": compensation,
        "who": who,
        "action_id": action_id,
    }
    return len(await _BY_HAND.rows(session, parameters))


async def discard_unused(session: Session, checkout_id: str) -> None:
    """Erase every token of a checkout that goes no further, and close the attempts that made no payment object."""
    await _DISCARD_UNUSED.run(session, {"checkout_id": checkout_id})


async def discard_attempt(session: Session, attempt_id: str) -> None:
    """Erase the token of one attempt that was never taken up, and close it; one that was is left alone."""
    await _DISCARD.run(session, {"id": attempt_id})


async def set_payment_status(session: Session, checkout_id: str, status: PaymentStatus) -> int:
    """Write what the payment of a checkout stands at; gives the row's new version."""
    return int(await _SET_STATUS.value(session, {"checkout_id": checkout_id, "status": status.value}))


@cache
def _record(names: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = :attempt_{name}" for name in names)
    return f"UPDATE payment_attempts SET {changes}, updated_at = now() WHERE id = :recorded_attempt"  # noqa: S608


#: What erases an attempt's token, and closes one that was never used: such have no payment object.
ERASED = "token = NULL, status = CASE status WHEN 'new' THEN 'discarded' ELSE status END, updated_at = now()"
#: Which attempts have something to be erased.
ERASABLE = "(token IS NOT NULL OR status = 'new')"

_ADD = Statement("""
INSERT INTO payment_attempts (id, checkout_id, cart_id, gateway, method, token)
VALUES (:id, :checkout_id, :cart_id, :gateway, :method, :token)
""")

_ALL = Statement(f"""
SELECT {", ".join(field.name for field in fields(AttemptRow))} FROM payment_attempts
WHERE checkout_id = :checkout_id
ORDER BY number NULLS LAST, created_at
""")  # noqa: S608 - fixed words

# Stored, and neither taken up nor discarded.
_UNUSED = "number IS NULL AND status = 'new'"

_TAKE_UP = Statement(f"""
UPDATE payment_attempts SET number = :number, amount = :amount, currency = :currency, updated_at = now()
WHERE id = :id AND {_UNUSED}
RETURNING id
""")  # noqa: S608

_CREATED = Statement("""
UPDATE payment_attempts SET gateway_payment_id = :payment_id, token = NULL, updated_at = now(),
    status = CASE status WHEN 'new' THEN 'created' ELSE status END
WHERE id = :id AND (status = 'new' OR gateway_payment_id = :payment_id)
RETURNING id
""")

_DISCARD_UNUSED = Statement(
    f"UPDATE payment_attempts SET {ERASED} WHERE checkout_id = :checkout_id AND {ERASABLE}"  # noqa: S608
)

_BY_HAND = Statement("""
UPDATE payment_attempts SET status = 'resolved', token = NULL, updated_at = now(),
    by_hand = jsonb_build_object('compensation', CAST(:compensation AS text), 'who', CAST(:who AS text))
        || COALESCE((SELECT jsonb_build_object('reason', reason, 'done', done) FROM admin_actions
            WHERE id = :action_id), '{}')
WHERE checkout_id = :checkout_id AND gateway_payment_id IS NOT NULL AND NOT status = ANY(:settled)
RETURNING id
""")

_DISCARD = Statement(f"UPDATE payment_attempts SET {ERASED} WHERE id = :id AND {_UNUSED}")  # noqa: S608

_SET_STATUS = Statement("""
UPDATE checkouts SET payment_status = :status WHERE id = :checkout_id RETURNING version
""")
