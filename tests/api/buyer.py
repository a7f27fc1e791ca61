"""A buyer at the API: a cart that is ready, and what a storefront does with it."""

from typing import Any

import httpx

from checkout.api.security import Session, Tokens
from tests.api.conftest import ADMIN_TOKEN, SECRET_KEY
from tests.support.shop import Basket

TOKENS = Tokens(SECRET_KEY, ADMIN_TOKEN)
VISA = "tok_visa"
CARD = {"method": "card", "token": VISA}


def card(token: str) -> dict[str, str]:
    """A payment by a card's token."""
    return {"method": "card", "token": token}


class Buyer:
    """Whose session the cart is."""

    def __init__(self, http: httpx.AsyncClient, basket: Basket, *, session_id: str | None = None) -> None:
        self._http = http
        self.cart_id = basket.cart_id
        session = Session(session_id or basket.session_id, basket.customer_id)
        self.headers = {"Authorization": f"Bearer {TOKENS.mint(session)}"}

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Any call, with the session's token."""
        headers = {**self.headers, **options.pop("headers", {})}
        return await self._http.request(method, path, json=body, headers=headers, **options)

    async def start(self, **wanted: Any) -> httpx.Response:
        """Start the checkout of the cart."""
        return await self.call("POST", "/checkouts", {"cart_id": self.cart_id, **wanted})

    async def started(self, **wanted: Any) -> str:
        """Start it as the first; the checkout's id."""
        answer = await self.start(**wanted)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def pay(self, checkout_id: str, token: str = VISA, **wanted: Any) -> httpx.Response:
        """Pay by a card."""
        return await self.call("POST", f"/checkouts/{checkout_id}/payment", {**card(token), **wanted})

    async def extend(self, checkout_id: str, ttl_seconds: int) -> httpx.Response:
        """Move the deadline."""
        return await self.call("POST", f"/checkouts/{checkout_id}/extend", {"ttl_seconds": ttl_seconds})

    async def cancel(self, checkout_id: str) -> httpx.Response:
        """Cancel."""
        return await self.call("POST", f"/checkouts/{checkout_id}/cancel")

    async def get(self, checkout_id: str, **query: Any) -> dict[str, Any]:
        """The checkout as it is."""
        answer = await self.call("GET", f"/checkouts/{checkout_id}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def cart(self) -> dict[str, Any]:
        """The cart as it is."""
        answer = await self.call("GET", f"/carts/{self.cart_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())
