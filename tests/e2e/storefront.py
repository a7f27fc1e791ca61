"""What a storefront does, over HTTP: a buyer with a cart, each call one line of a test."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt

from tests.support.dev import PATIENCE, POLL

ADDRESS = {"name": "Ada Lovelace", "line1": "Torstr. 1", "city": "Berlin", "postal_code": "10119", "country": "DE"}
EMAIL = "ada@example.com"
CARD = {"method": "card", "token": "tok_visa"}
CLOSED = {"completed", "failed", "expired", "cancelled"}


def card(token: str) -> dict[str, str]:
    """A card payment with one of the simulated gateway's tokens."""
    return {"method": "card", "token": token}


class Buyer:
    """One session with one cart and the checkout it started last."""

    def __init__(self, client: httpx.AsyncClient, token: str | None = None) -> None:
        self.client = client
        self.token = token
        self.cart_id = ""
        self.checkout_id = ""

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, **query: str
    ) -> httpx.Response:
        """One request with this buyer's token, and perhaps an idempotency key. A lost answer is raised."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"idempotency-key": key} if key else {}
        response = await self.client.request(method, path, json=body, params=query, headers=headers)
        assert response.status_code != 500, response.text
        return response

    async def fill(self, lines: dict[str, int], *, currency: str = "EUR", country: str = "DE") -> "Buyer":
        """Make a cart with these quantities by SKU, an e-mail and an address."""
        response = await self.call("POST", "/carts", {"currency": currency, "email": EMAIL})
        assert response.status_code == 201, response.text
        cart = response.json()
        self.cart_id, self.token = cart["id"], cart.get("session_token") or self.token
        for sku, quantity in lines.items():
            await self.expect(200, "PUT", f"/carts/{self.cart_id}/lines/{sku}", {"quantity": quantity})
        address = {"shipping": {**ADDRESS, "country": country}}
        await self.expect(200, "PUT", f"/carts/{self.cart_id}/addresses", address)
        return self

    async def expect(self, status: int, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        """One request whose status is asserted; gives the body."""
        response = await self.call(method, path, body, **query)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json()
        return answer

    async def start(self, **options: Any) -> httpx.Response:
        """Start a checkout of the cart; remembers its id where the answer has one."""
        response = await self.call("POST", "/checkouts", {"cart_id": self.cart_id, **options})
        body = response.json()
        self.checkout_id = body.get("checkout_id") or body.get("id") or self.checkout_id
        return response

    async def start_when_possible(self, **options: Any) -> httpx.Response:
        """Start a checkout, again and again while something it needs is away."""
        give_up = time.monotonic() + PATIENCE
        response = await self.start(**options)
        while response.status_code == 503 and time.monotonic() < give_up:
            await asyncio.sleep(POLL)
            response = await self.start(**options)
        return response

    async def started(self, **options: Any) -> dict[str, Any]:
        """Start a checkout that waits for its payment, however long its phases take."""
        response = await self.start(**options)
        assert response.status_code in {200, 201, 202}, response.text
        return await self.until(lambda checkout: checkout["state"] == "awaiting_payment")

    async def pay(self, token: str = "tok_visa", **options: Any) -> httpx.Response:  # noqa: S107 - a test card's name
        """Pay by card."""
        return await self.call("POST", f"{self.path}/payment", {**card(token), **options})

    @property
    def path(self) -> str:
        """The path of the checkout."""
        return f"/checkouts/{self.checkout_id}"

    async def checkout(self) -> dict[str, Any]:
        """The checkout as it is now."""
        return await self.expect(200, "GET", self.path)

    async def cart(self) -> dict[str, Any]:
        """The cart as it is now."""
        return await self.expect(200, "GET", f"/carts/{self.cart_id}")

    async def until(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The checkout once it is as wanted; waits out an API or a database that is away for a while."""
        give_up = time.monotonic() + PATIENCE
        last: object = None
        while time.monotonic() < give_up:
            try:
                response = await self.call("GET", self.path)
            except httpx.TransportError as error:
                last = repr(error)
            else:
                last = response.json()
                if response.status_code == 200 and reached(response.json()):
                    return dict(response.json())
                assert response.status_code in {200, 503}, response.text
            await asyncio.sleep(POLL)
        raise AssertionError(f"{self.path} did not get there; last seen: {last}")

    async def until_closed(self) -> dict[str, Any]:
        """The checkout once it has ended."""
        return await self.until(lambda checkout: checkout["state"] in CLOSED)


def session_token(secret_key: str, session: str, customer: str | None = None) -> str:
    """A session token as the shop's own backend mints them."""
    claims: dict[str, Any] = {"sub": session, "exp": int(time.time()) + 3600}
    return jwt.encode({**claims, **({"customer_id": customer} if customer else {})}, secret_key, algorithm="HS256")
