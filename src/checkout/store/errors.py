"""What a caller of the store may meet, each with a code; and the database's own refusals turned into them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError

from checkout.domain.errors import DefiniteFailure
from checkout.runtime.database import sqlstate


class NotFound(DefiniteFailure):
    """There is no such thing, or it is another's: the two are never told apart."""


class CartNotFound(NotFound):
    """There is no such cart for this caller."""

    def __init__(self, cart_id: str) -> None:
        super().__init__("cart_not_found", "there is no such cart", {"cart_id": cart_id})


class SkuNotFound(NotFound):
    """The shop does not sell this SKU."""

    def __init__(self, sku: str) -> None:
        super().__init__("sku_not_found", f"there is no SKU {sku[:64]!r}", {"sku": sku[:64]})


class CartFull(DefiniteFailure):
    """The cart has as many lines as one may have."""

    def __init__(self, lines: int) -> None:
        super().__init__(
            "cart_full", f"a cart has {lines} lines at most: order what is in it first", {"max_lines": lines}
        )


class CartLocked(DefiniteFailure):
    """A checkout holds the cart, so nothing in it may change."""

    def __init__(self, checkout_id: str) -> None:
        super().__init__(
            "cart_locked", "a checkout holds the cart: cancel it to change the cart", {"checkout_id": checkout_id}
        )


class CartOrdered(DefiniteFailure):
    """The cart is an order, so nothing in it may change any more."""

    def __init__(self, order_reference: str) -> None:
        super().__init__("cart_ordered", f"the cart is order {order_reference}", {"order_reference": order_reference})


#: What the triggers on carts raise, by SQLSTATE; the error's DETAIL is the checkout's id, the order's reference, or how
#: many lines a cart may have.
_REFUSALS: Mapping[str, Callable[[str], DefiniteFailure]] = {
    "CK423": CartLocked,
    "CK409": CartOrdered,
    "CK422": lambda lines: CartFull(int(lines)),
}


@contextmanager
def cart_protection() -> Iterator[None]:
    """Turn what the triggers on carts raise into CartLocked, CartOrdered and CartFull."""
    try:
        yield
    except DBAPIError as error:
        refusal = _REFUSALS.get(sqlstate(error) or "")
        if refusal is None or not isinstance(error.orig, psycopg.Error):
            raise
        raise refusal(error.orig.diag.message_detail or "") from None
