"""Guessing an admin's token, at the API and at the catalogue's login: so many wrong ones from an address, then none."""

import asyncio
from typing import Any

import httpx
import pytest

from checkout.api.protection import guessing
from checkout.api.security import Admin, Session, Tokens
from checkout.runtime.database import Sessions
from tests.api.buyer import TOKENS
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem
from tests.api.test_rate_limits import apis
from tests.support.shop import Shop
from tests.support.waiting import eventually

LOGIN = "/admin/catalogue/login"
#: As long as an admin's token is at least.
GUESS = "guess-of-a-token"


async def ask(api: httpx.AsyncClient, token: str, path: str = "/admin/actions", **headers: str) -> httpx.Response:
    return await api.get(path, headers={"Authorization": f"Bearer {token}", **headers})


async def log_in(api: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    return await api.post(LOGIN, data={"password": token}, headers=headers)


async def test_after_ten_wrong_tokens_none_is_looked_at_from_that_address(
    database_url: str, sessions: Sessions
) -> None:
    proxied: dict[str, Any] = {"trusted_proxies": "127.0.0.1"}
    async with apis(database_url, 2, **proxied) as (one, other):
        said = {"X-Forwarded-For": "203.0.113.7"}
        for number in range(5):
            problem(await ask(one, f"{GUESS}-{number}", **said), 401, "token_invalid")
            wrong = await log_in(other, f"{GUESS}-{number}", **said)
            assert wrong.status_code == 400
            assert "This is not the admin token." in wrong.text
        refused = problem(await ask(one, f"{GUESS}-10", **said), 429, "rate_limited")
        assert refused["context"] == {"of": "address", "limit": 10, "seconds": 60}
        page = await log_in(other, f"{GUESS}-11", **said)
        assert page.status_code == 429
        assert "More than 10 wrong tokens came from this address in 60 s." in page.text
        for answer in (await ask(one, ADMIN_TOKEN, **said), await log_in(other, ADMIN_TOKEN, **said)):
            assert answer.status_code == 429, "the right one would tell that it is"
            assert 0 < int(answer.headers["Retry-After"]) <= 60
        # Every route that takes a token would tell: an admin's is 403 at a storefront's.
        problem(await ask(one, ADMIN_TOKEN, "/orders", **said), 429, "rate_limited")
        # Others are not refused, and neither is a session of the same address, nor who has logged in before.
        assert (await ask(one, ADMIN_TOKEN)).status_code == 200
        assert (await ask(one, TOKENS.mint(Session("ses_ada")), "/orders", **said)).status_code == 200
        assert (await log_in(other, ADMIN_TOKEN)).status_code == 302
        assert (await other.get("/admin/catalogue/", headers=said)).status_code == 200
        hits = (await ask(one, ADMIN_TOKEN, "/admin/statistics")).json()["rate_limit_hits"]
        assert hits >= 3
    [[key]] = await Shop(sessions).rows("SELECT key FROM rate_limit_hits")
    assert "203.0.113.7" not in key


async def test_of_guesses_that_come_at_once_no_more_are_looked_at(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: set[str] = set()
    look = Tokens.admin

    def noting(tokens: Tokens, token: str) -> Admin | None:
        looked_at.add(token)
        return look(tokens, token)

    monkeypatch.setattr(Tokens, "admin", noting)
    async with apis(database_url) as (api,):
        answers = await asyncio.gather(*(ask(api, f"{GUESS}-{number}") for number in range(60)))
        assert [answer.status_code for answer in answers].count(401) == 10
        assert [answer.status_code for answer in answers].count(429) == 50
    assert 10 <= len(looked_at) <= 20


async def test_the_right_one_is_looked_at_again_as_time_passes(database_url: str) -> None:
    async with apis(database_url, rate_limit_wrong_tokens="1/second") as (api,):
        while (await ask(api, GUESS)).status_code != 429:
            pass

        async def taken() -> bool:
            return (await ask(api, ADMIN_TOKEN)).status_code == 200

        await eventually(taken, "the right token is taken again")


async def test_a_storefronts_mistakes_are_no_guesses(database_url: str) -> None:
    """A shop that changes its key has many buyers with old tokens, behind one address as well."""
    old = TOKENS.mint(Session("ses_ada"))[:-3] + "abc"
    expired = TOKENS.mint(Session("ses_ada"), life=-1)
    async with apis(database_url, rate_limit_wrong_tokens="2/minute") as (api,):
        for _ in range(4):
            problem(await ask(api, old, "/orders"), 401, "token_invalid")
            problem(await ask(api, expired), 401, "token_expired")
            problem(await ask(api, "undefined", "/orders"), 401, "token_invalid")
            assert (await log_in(api, "a-short-one")).status_code == 400
        assert (await ask(api, ADMIN_TOKEN)).status_code == 200


async def test_a_viewer_is_told_that_the_catalogue_takes_an_operator(database_url: str) -> None:
    async with apis(database_url, admin_tokens="vic:viewer:viewer-token-of-the-tests") as (api,):
        answer = await log_in(api, "viewer-token-of-the-tests")
        assert answer.status_code == 403
        assert "This is a viewer&#39;s token: these pages take an operator&#39;s." in answer.text


async def test_a_limit_that_is_off_and_a_database_that_is_away(database_url: str) -> None:
    async with apis(database_url, rate_limit_wrong_tokens="off") as (api,):
        assert {(await ask(api, GUESS)).status_code for _ in range(15)} == {401}
    async with apis("postgresql:///none?host=/nonexistent") as (api,):
        problem(await ask(api, GUESS), 503, "database_unavailable")
        answer = await log_in(api, GUESS)
        assert (answer.status_code, "The database does not answer." in answer.text) == (503, True)
        assert (await log_in(api, ADMIN_TOKEN)).status_code == 302


async def test_those_that_a_process_has_no_room_to_remember_are_refused_by_the_count(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guessing, "MOST_ADDRESSES", 2)
    async with apis(database_url, rate_limit_wrong_tokens="1/minute", trusted_proxies="127.0.0.1") as (api,):
        for number in range(4):
            said = {"X-Forwarded-For": f"203.0.113.{number}"}
            assert [(await ask(api, GUESS, **said)).status_code for _ in range(3)] == [401, 429, 429]
