"""Who holds a cart: what a start has to know of it before it asks for anything."""

from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from checkout.store.carts import Owner
from checkout.store.errors import CartNotFound
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


async def short_of_stock(session: AsyncSession, cart_id: str) -> bool:
    """Whether some line wants more than all warehouses that serve the cart's country have available now."""
    return bool(await session.scalar(_SHORT, {"cart_id": cart_id}))


_SHORT = text("""
SELECT EXISTS (
    SELECT FROM cart_lines l
    LEFT JOIN cart_addresses a ON a.cart_id = l.cart_id AND a.kind = 'shipping'
    WHERE l.cart_id = :cart_id AND l.quantity > (
        SELECT COALESCE(sum(s.on_hand - s.reserved), 0) FROM stock s JOIN warehouses w ON w.id = s.warehouse_id
        WHERE s.variant_id = l.variant_id AND w.active
            AND (a.country IS NULL OR w.countries = '{}' OR a.country = ANY (w.countries)))
)
""")
