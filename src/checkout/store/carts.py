"""Carts: what a storefront does with them. Each function is one statement, and its caller's transaction.

A cart belongs to its session and, once it has one, to its customer; to anyone else it is not there. That a cart which
a checkout holds cannot change, and that none has more lines than MAX_LINES, are the database's own rules (see the
migrations); here they only get their words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.errors import DefiniteFailure
from checkout.domain.ids import new_cart_id
from checkout.domain.pricing import Pricing, price_cart
from checkout.store.errors import CartLocked, CartNotFound, CartOrdered, SkuNotFound, cart_protection
from checkout.store.owner import Owner
from checkout.store.pricing import LoadedLine, PriceRules, load_cart, reckoning

__all__ = [
    "CartView",
    "Owner",
    "claim",
    "create_cart",
    "delete_line",
    "set_addresses",
    "set_coupon",
    "set_line",
    "set_shipping_option",
    "view_cart",
]


@dataclass(frozen=True)
class CartView:
    """A cart at current prices. ``pricing.lines`` and ``lines`` are in the same order."""

    id: str
    session_id: str
    customer_id: str | None
    currency: str
    email: str | None
    coupon_code: str | None
    lines: tuple[LoadedLine, ...]
    shipping_address: Mapping[str, Any] | None
    billing_address: Mapping[str, Any] | None
    locked_by: str | None
    checkout_id: str | None
    order_reference: str | None
    created_at: datetime
    updated_at: datetime
    pricing: Pricing

    @property
    def locked(self) -> bool:
        """Whether a checkout holds it."""
        return self.locked_by is not None

    def obstacles(self) -> list[str]:
        """The codes of what stands in the way of a checkout, stock aside: none when it can be started."""
        found = {
            "cart_ordered": self.order_reference is not None,
            "cart_locked": self.locked,
            "empty_cart": not self.lines,
            "email_missing": not self.email,
            "address_missing": self.shipping_address is None,
            "sku_unavailable": not all(line.active for line in self.lines),
        }
        codes = [code for code, stands in found.items() if stands]
        return codes + list(dict.fromkeys(p.code for p in self.pricing.problems if p.blocking))


async def create_cart(
    session: AsyncSession, owner: Owner, currency: str, email: str | None = None, *, seed: str | None = None
) -> str:
    """Make an empty cart and give its id; with the ``seed`` of a request, once however often it is repeated."""
    cart_id = new_cart_id(seed)
    await session.execute(
        text(
            "INSERT INTO carts (id, session_id, customer_id, currency, email) "
            "VALUES (:id, :session_id, :customer_id, :currency, :email) ON CONFLICT (id) DO NOTHING"
        ),
        {**owner.parameters, "id": cart_id, "currency": currency, "email": email},
    )
    return cart_id


async def view_cart(session: AsyncSession, owner: Owner, cart_id: str, rules: PriceRules) -> CartView:
    """The cart at current prices: one statement however many lines and promotions.

    Raises CartNotFound, and DefiniteFailure ``pricing_impossible`` where a row of the shop's makes no sense.
    """
    with reckoning():
        loaded = await load_cart(session, cart_id, rules)
        pricing = price_cart(loaded.pricing)
    cart = loaded.cart
    if not owner.owns(cart["session_id"], cart["customer_id"]):
        raise CartNotFound(cart_id)
    return CartView(
        id=cart_id,
        session_id=cart["session_id"],
        customer_id=cart["customer_id"],
        currency=cart["currency"],
        email=cart["email"],
        coupon_code=cart["coupon_code"],
        lines=loaded.lines,
        shipping_address=loaded.addresses.get("shipping"),
        billing_address=loaded.addresses.get("billing"),
        locked_by=cart["locked_by"],
        checkout_id=cart["checkout_id"],
        order_reference=cart["order_reference"],
        created_at=cart["created_at"],
        updated_at=cart["updated_at"],
        pricing=pricing,
    )


async def set_line(session: AsyncSession, owner: Owner, cart_id: str, sku: str, quantity: int) -> None:
    """Have ``quantity`` (1 to 999) of a SKU in the cart; stock is not asked.

    Raises CartNotFound, CartLocked, CartOrdered, CartFull, and SkuNotFound for one that is unknown or not sold.
    """
    found = await _change(session, owner, cart_id, _SET_LINE, {"sku": sku, "quantity": quantity})
    if not found["changed"]:
        raise SkuNotFound(sku)


async def delete_line(session: AsyncSession, owner: Owner, cart_id: str, sku: str) -> None:
    """Have none of a SKU in the cart. Raises CartNotFound, CartLocked, CartOrdered."""
    await _change(session, owner, cart_id, _DELETE_LINE, {"sku": sku})


async def set_addresses(
    session: AsyncSession,
    owner: Owner,
    cart_id: str,
    shipping: Mapping[str, Any],
    billing: Mapping[str, Any] | None = None,
    email: str | None = None,
) -> None:
    """Replace both addresses (no ``billing``: the shipping address is billed); ``email`` stays where none is given.

    An address has name, line1, line2?, city, region?, postal_code, country. Raises CartNotFound, CartLocked,
    CartOrdered.
    """
    given = [("shipping", shipping)] + ([("billing", billing)] if billing is not None else [])
    columns: dict[str, Any] = {"kinds": [kind for kind, _ in given], "email": email}
    for name in _ADDRESS:
        columns[name] = [address.get(name) for _, address in given]
    await _change(session, owner, cart_id, _SET_ADDRESSES, columns)


async def claim(session: AsyncSession, owner: Owner, cart_id: str, customer_id: str) -> None:
    """Give the cart of the session ``owner`` to a customer; again for the same one is the same.

    Raises CartNotFound, also where it is another customer's; CartLocked, CartOrdered.
    """
    found = await _change(session, owner, cart_id, _CLAIM, {"claimant": customer_id})
    if not found["changed"]:
        raise CartNotFound(cart_id)


async def set_coupon(
    session: AsyncSession, owner: Owner, cart_id: str, code: str | None, rules: PriceRules
) -> CartView:
    """Apply a coupon, or none, and give the cart.

    Raises DefiniteFailure (roll back) with the coupon's own code where the cart may not use it; CartNotFound,
    CartLocked, CartOrdered.
    """
    await _change(session, owner, cart_id, _SET_COUPON, {"code": None if code is None else code.strip().upper()})
    view = await view_cart(session, owner, cart_id, rules)
    for problem in view.pricing.problems:
        if problem.blocking and problem.code.startswith("coupon_"):
            raise problem.failure()
    return view


async def set_shipping_option(
    session: AsyncSession, owner: Owner, cart_id: str, option: str, rules: PriceRules
) -> CartView:
    """Choose a shipping option by its code, and give the cart.

    Raises DefiniteFailure (roll back) ``shipping_option_unavailable`` where it does not ship this cart there, and
    ``address_missing`` while nobody knows where to; CartNotFound, CartLocked, CartOrdered.
    """
    await _change(session, owner, cart_id, _SET_SHIPPING_OPTION, {"option": option})
    view = await view_cart(session, owner, cart_id, rules)
    if view.shipping_address is None:
        raise DefiniteFailure("address_missing", "the cart has no shipping address yet")
    codes = [quote.code for quote in view.pricing.shipping_options]
    if option not in codes:
        country = view.shipping_address["country"]
        detail = f"{option[:64]!r} does not ship this cart to {country}"
        raise DefiniteFailure("shipping_option_unavailable", detail, {"options": codes})
    return view


async def _change(
    session: AsyncSession, owner: Owner, cart_id: str, statement: Any, parameters: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Run a statement that locks the cart as ``cart`` and tells its state; refuse what it may not do."""
    with cart_protection():
        result = await session.execute(statement, {**owner.parameters, "cart_id": cart_id, **parameters})
    row = result.mappings().one_or_none()
    if row is None:
        raise CartNotFound(cart_id)
    found = dict(row)
    # The triggers saw to it where something changed; a statement that had nothing to change answers the same.
    if found["order_reference"] is not None:
        raise CartOrdered(found["order_reference"])
    if found["locked_by"] is not None:
        raise CartLocked(found["locked_by"])
    return found


_ADDRESS = ("name", "line1", "line2", "city", "region", "postal_code", "country")

_CART = """
WITH cart AS (
    SELECT id, locked_by, order_reference, customer_id FROM carts
    WHERE id = :cart_id AND (session_id = :session_id OR customer_id = CAST(:customer_id AS text))
    FOR NO KEY UPDATE
), {change}
SELECT cart.locked_by, cart.order_reference, EXISTS (SELECT FROM changed) AS changed FROM cart
"""


_CHANGED_COLUMNS = """changed AS (
    UPDATE carts SET {assignments}, updated_at = now() FROM cart
    WHERE carts.id = cart.id AND cart.locked_by IS NULL AND cart.order_reference IS NULL AND {condition}
    RETURNING 1
)"""


def _part(change: str) -> Any:
    """A change of lines; whoever reads the cart sees by ``updated_at`` that something in it changed."""
    touched = "UPDATE carts SET updated_at = now() FROM cart WHERE carts.id = cart.id AND EXISTS (SELECT FROM changed)"
    return text(_CART.format(change=f"changed AS ({change} RETURNING 1), touched AS ({touched})"))


def _columns(assignments: str, condition: str = "true") -> Any:
    """A change of the cart's own columns."""
    return text(_CART.format(change=_CHANGED_COLUMNS.format(assignments=assignments, condition=condition)))


_SET_LINE = _part("""
    INSERT INTO cart_lines (cart_id, variant_id, quantity, position)
    SELECT cart.id, v.id, :quantity,
        (SELECT COALESCE(max(position), 0) + 1 FROM cart_lines WHERE cart_id = cart.id)
    FROM cart, variants v JOIN products p ON p.id = v.product_id
    WHERE v.sku = :sku AND v.active AND p.active
    ON CONFLICT (cart_id, variant_id) DO UPDATE SET quantity = excluded.quantity, updated_at = now()
""")

_DELETE_LINE = _part("""
    DELETE FROM cart_lines l USING cart, variants v
    WHERE l.cart_id = cart.id AND l.variant_id = v.id AND v.sku = :sku
""")

_SET_ADDRESSES = text(
    _CART.format(
        change="""removed AS (
    DELETE FROM cart_addresses a USING cart WHERE a.cart_id = cart.id AND a.kind <> ALL (CAST(:kinds AS text[]))
), written AS (
    INSERT INTO cart_addresses (cart_id, kind, name, line1, line2, city, region, postal_code, country)
    SELECT cart.id, a.* FROM cart, unnest(
        CAST(:kinds AS text[]), CAST(:name AS text[]), CAST(:line1 AS text[]), CAST(:line2 AS text[]),
        CAST(:city AS text[]), CAST(:region AS text[]), CAST(:postal_code AS text[]), CAST(:country AS text[])) a
    ON CONFLICT (cart_id, kind) DO UPDATE SET name = excluded.name, line1 = excluded.line1, line2 = excluded.line2,
        city = excluded.city, region = excluded.region, postal_code = excluded.postal_code, country = excluded.country
), changed AS (
    UPDATE carts SET email = COALESCE(CAST(:email AS text), email), updated_at = now() FROM cart
    WHERE carts.id = cart.id AND cart.locked_by IS NULL AND cart.order_reference IS NULL
    RETURNING 1
)"""
    )
)

_CLAIM = _columns(
    "customer_id = CAST(:claimant AS text)",
    "(cart.customer_id IS NULL OR cart.customer_id = CAST(:claimant AS text))",
)
_SET_COUPON = _columns("coupon_code = CAST(:code AS text)")
_SET_SHIPPING_OPTION = _columns("shipping_option = :option")
