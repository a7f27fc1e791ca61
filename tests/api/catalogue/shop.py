"""The demo shop with a client of its catalogue admin."""

from typing import Any

import httpx

from checkout.runtime.database import Sessions
from tests.store.shelves import Shelves

TOKEN = "admin-token-of-the-tests"
BASE = "/admin/catalogue"
PAGES = (
    *("product", "variant", "price", "stock", "warehouse", "coupon", "promotion", "tax-rate", "shipping-option"),
    *("exchange-rate", "checkout", "order", "price-snapshot", "stock-movement", "reservation", "payment-attempt"),
    "coupon-redemption",
)


class Shop(Shelves):
    """The demo shop, and a client that has logged in to its admin."""

    def __init__(self, sessions: Sessions, client: httpx.AsyncClient) -> None:
        super().__init__(sessions)
        self.client = client

    async def page(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = await self.client.get(f"{BASE}/{path}")
        assert answer.status_code == status, answer.text
        return answer.text

    async def save(self, path: str, **entered: Any) -> None:
        """Save a form, which has to be taken."""
        answer = await self.client.post(f"{BASE}/{path}", data={"save": "Save", **entered})
        assert answer.status_code == 302, answer.text
        assert "/list" in answer.headers["location"]

    async def refused(self, path: str, message: str, **entered: Any) -> None:
        """Save a form, which has to be refused with this message."""
        answer = await self.client.post(f"{BASE}/{path}", data={"save": "Save", **entered})
        assert answer.status_code == 400
        assert message in answer.text.replace("&#39;", "'")

    async def key(self, table: str, column: str, value: str) -> int:
        """The id of a row."""
        return int(await self.value(f"SELECT id FROM {table} WHERE {column} = :value", value=value))  # noqa: S608
