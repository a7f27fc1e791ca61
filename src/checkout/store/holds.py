"""Who holds a cart: what a start has to know of it before it asks for anything."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.allocation import Shortage, allocate
from checkout.domain.words import OnShortage
from checkout.runtime.statements import Statement
from checkout.store.errors import CartNotFound
from checkout.store.owner import Owner
from checkout.store.reserving import read_demand

#: So many lines of a cart are named; of the others it is told how many there are.
NAMED = 3


@dataclass(frozen=True)
class CartHold:
    """A cart, the checkout that holds it, and the order that it became.

    ``items``: what is in it, for people, such as ``2 MUG, 1 LAMP``.
    """

    cart_id: str
    locked_by: str | None
    order_reference: str | None
    items: str


async def read_hold(session: AsyncSession, owner: Owner, cart_id: str) -> CartHold:
    """Who holds the cart now. Raises CartNotFound, also where it is another's."""
    found = await _HOLD.row(session, {"cart_id": cart_id, "named": NAMED})
    if found is None or not owner.owns(found["session_id"], found["customer_id"]):
        raise CartNotFound(cart_id)
    named = [f"{quantity} {sku}" for quantity, sku in found["lines"] or ()]
    more = [f"{found['count'] - NAMED} more"] if found["count"] > NAMED else []
    return CartHold(cart_id, found["locked_by"], found["order_reference"], ", ".join([*named, *more]))


_HOLD = Statement("""
SELECT c.session_id, c.customer_id, c.locked_by, c.order_reference,
    (SELECT count(*) FROM cart_lines l WHERE l.cart_id = c.id) AS count,
    (SELECT jsonb_agg(jsonb_build_array(l.quantity, v.sku) ORDER BY l.position, l.variant_id)
        FROM (SELECT * FROM cart_lines WHERE cart_id = c.id ORDER BY position, variant_id LIMIT :named) l
        JOIN variants v ON v.id = l.variant_id) AS lines
FROM carts c WHERE c.id = :cart_id
""")


async def shortage_of(
    session: AsyncSession, cart_id: str, on_shortage: OnShortage = OnShortage.FAIL
) -> Shortage | None:
    """For what a checkout of the cart would be refused for want of stock now; None also while nobody knows where to."""
    demand = await read_demand(session, cart_id)
    if not demand.lines or demand.country is None:
        return None
    proposal = allocate(demand.lines, demand.stock, demand.country, on_shortage)
    return proposal if isinstance(proposal, Shortage) else None
