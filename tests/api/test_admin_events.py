"""The stream of all changes: what changed is named, once a second at most; where nobody knows, any may have."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest

from checkout.api import changes as module
from checkout.api.admin import events
from tests.api.buyer import Buyer
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem
from tests.workflows.stage import Stage

OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
GENEROUS = 120


async def named(answer: httpx.Response) -> AsyncIterator[Any]:
    """The ids of each event."""
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["ids"]


async def test_what_changes_is_named(http: httpx.AsyncClient, stage: Stage, database_url: str) -> None:
    problem(await http.get("/admin/events"), 401, "token_missing")
    buyer = Buyer(http, await stage.cart())
    async with asyncio.timeout(GENEROUS), http.stream("GET", "/admin/events", headers=OPERATOR) as answer:
        assert answer.headers["cache-control"] == "no-store"
        assert (await http.get("/admin/events", headers=buyer.headers)).status_code == 403
        ids = named(answer)
        assert await anext(ids) is None  # look at what you show
        async with stage.worker():
            checkout = await buyer.started()
        seen: set[str] = set()
        while checkout not in seen:
            seen |= set(await anext(ids) or ())
        assert seen == {checkout}
        # A lost connection loses changes.
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'checkout-listen' AND datname = current_database()"
            )
        while await anext(ids) is not None:
            pass


async def test_a_rush_is_gathered_and_not_named(
    http: httpx.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "APART", 0.2)
    async with asyncio.timeout(GENEROUS), http.stream("GET", "/admin/events", headers=OPERATOR) as answer:
        ids = named(answer)
        assert await anext(ids) is None
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:

            async def change(*names: str) -> None:
                for name in names:
                    await connection.execute(
                        "SELECT pg_notify('checkout_changed', %s)", (json.dumps({"id": name, "version": 2}),)
                    )

            await change("chk_a")
            while (seen := await anext(ids)) is None:  # it may not have listened yet
                await change("chk_a")
            assert seen == ["chk_a"]
            async with connection.transaction():  # told of at once
                await change(*(f"chk_{n}" for n in range(module.MOST_NAMED + 1)))
            while await anext(ids) is not None:
                pass
