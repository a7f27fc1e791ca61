"""A storefront for measuring: few requests, little of its own."""

import time
from typing import Any

import aiohttp
import jwt

ADDRESS = {"name": "Ada Lovelace", "line1": "Torstr. 1", "city": "Berlin", "postal_code": "10119", "country": "DE"}
CARD = {"method": "card", "token": "tok_visa"}


class Storefront:
    """Calls one API. Raises RuntimeError at an answer that a measurement cannot go on with."""

    def __init__(self, http: aiohttp.ClientSession, api: str) -> None:
        self._http = http
        self._api = api

    async def call(
        self, method: str, path: str, body: object = None, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """One request: status and body."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with self._http.request(method, self._api + path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def expect(self, method: str, path: str, body: object = None, token: str | None = None) -> dict[str, Any]:
        """One request that must go well: the body."""
        status, answer = await self.call(method, path, body, token)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    async def cart(self, sku: str, quantity: int = 1) -> tuple[str, str]:
        """A cart that can be bought: its id and its session's token."""
        cart = await self.expect("POST", "/carts", {"currency": "EUR", "email": "ada@example.com"})
        token = cart["session_token"]
        await self.expect("PUT", f"/carts/{cart['id']}/lines/{sku}", {"quantity": quantity}, token)
        await self.expect("PUT", f"/carts/{cart['id']}/addresses", {"shipping": ADDRESS}, token)
        return cart["id"], token

    async def cart_of_session(self, sku: str) -> tuple[str, str]:
        """A cart that can be bought: its id and its session's id."""
        cart_id, token = await self.cart(sku)
        return cart_id, str(jwt.decode(token, options={"verify_signature": False})["sub"])

    async def buy(self, cart_id: str, token: str) -> tuple[int, float]:
        """Start and pay in one request: the status of the answer and how long it took, in seconds."""
        began = time.perf_counter()
        status, _ = await self.call("POST", "/checkouts", {"cart_id": cart_id, "payment": CARD}, token)
        return status, time.perf_counter() - began

    async def purchase(self, sku: str) -> float:
        """A whole purchase, from no cart to a paid order, step by step as a storefront does it: seconds."""
        began = time.perf_counter()
        cart_id, token = await self.cart(sku)
        checkout = await self.expect("POST", "/checkouts", {"cart_id": cart_id}, token)
        paid = await self.expect("POST", f"/checkouts/{checkout['id']}/payment", CARD, token)
        if paid["state"] != "completed":
            raise RuntimeError(f"not completed: {paid['state']}")
        return time.perf_counter() - began
