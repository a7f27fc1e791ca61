"""Who holds a cart: what a start has to know of it before it asks for anything."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from checkout.domain.allocation import Shortage, allocate
from checkout.domain.words import OnShortage
from checkout.store.errors import CartNotFound
from checkout.store.owner import Owner
from checkout.store.reserving import read_demand
from checkout.store.tables import Cart


@dataclass(frozen=True)
class CartHold:
    """A cart, the checkout that holds it, and the order that it became."""

    cart_id: str
    locked_by: str | None
    order_reference: str | None


async def read_hold(session: AsyncSession, owner: Owner, cart_id: str) -> CartHold:
    """Who holds the cart now. Raises CartNotFound, also where it is another's."""
    columns = select(col(Cart.session_id), col(Cart.customer_id), col(Cart.locked_by), col(Cart.order_reference)).where(
        col(Cart.id) == cart_id
    )
    found = (await session.execute(columns)).one_or_none()
    if found is None or not owner.owns(found.session_id, found.customer_id):
        raise CartNotFound(cart_id)
    return CartHold(cart_id, found.locked_by, found.order_reference)


async def shortage_of(
    session: AsyncSession, cart_id: str, on_shortage: OnShortage = OnShortage.FAIL
) -> Shortage | None:
    """For what a checkout of the cart would be refused for want of stock now; None also while nobody knows where to."""
    demand = await read_demand(session, cart_id)
    if not demand.lines or demand.country is None:
        return None
    proposal = allocate(demand.lines, demand.stock, demand.country, on_shortage)
    return proposal if isinstance(proposal, Shortage) else None
