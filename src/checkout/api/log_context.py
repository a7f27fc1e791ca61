"""Log lines of a request say which checkout, or cart, it is about, as far as its path tells."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from checkout.runtime.log_context import about_cart, about_checkout, about_nothing

_CHECKOUT = re.compile(r"(?:/admin)?/checkouts/(chk_[0-9a-z]+_[0-9a-z]+)(?:/|$)")
_CART = re.compile(r"/carts/(cart_[0-9a-z]+)(?:/|$)")


class LogContext:
    """ASGI middleware. The server begins a request that was sent behind another in that one's context."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bind what the path names, and go on."""
        about_nothing()
        path = scope.get("path", "")
        if checkout := _CHECKOUT.match(path):
            about_checkout(checkout[1])
        elif cart := _CART.match(path):
            about_cart(cart[1])
        await self.app(scope, receive, send)
