"""Places of running checkouts: how many one buyer, and one address, may have at once.

A place is taken before the checkout is begun and freed by a trigger when it is closed, so what counts is counted under
a lock, whatever the worker has written by then. The locks are advisory, of the buyer and the address in the order of
their numbers; whoever holds them waits for no row.
"""

from dataclasses import dataclass
from datetime import datetime

from checkout.runtime.statements import Session, Statement


@dataclass(frozen=True)
class Full:
    """The ``subject`` or the ``address`` has all the places that it may; the first is free by then at the latest."""

    of: str
    frees_at: datetime


async def take_place(
    session: Session,
    *,
    checkout_id: str,
    cart_id: str,
    subject: str,
    address: str,
    seconds: int,
    most: int | None,
    most_of_address: int | None,
) -> Full | None:
    """Take a checkout's place, for so many ``seconds`` while it has no row; None where it is taken.

    A cart counts once, however many of its checkouts were begun: where one runs, whoever starts another meets it. In a
    transaction by itself, or the locks are held to the end of it.
    """
    parameters = {"checkout_id": checkout_id, "cart_id": cart_id, "subject": subject, "address": address}
    row = await _TAKE.row(session, {**parameters, "seconds": seconds, "most": most, "most_of_address": most_of_address})
    return None if row is None else Full(row["full_of"], row["frees_at"])


async def leave_place(session: Session, checkout_id: str) -> None:
    """Free the place of a checkout that was never begun."""
    await _LEAVE.run(session, {"checkout_id": checkout_id})


_TAKE = Statement("""
SELECT full_of, frees_at FROM take_checkout_place(
    :checkout_id, :cart_id, :subject, :address, CAST(:seconds AS integer),
    CAST(:most AS integer), CAST(:most_of_address AS integer)
)
""")
_LEAVE = Statement("DELETE FROM checkout_places WHERE checkout_id = :checkout_id")
