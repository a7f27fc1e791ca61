"""The application as a whole, without a server behind it: limits, problems, CORS."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, get_args, get_origin

import httpx
import pytest
from fastapi.params import Depends

import checkout.api
from checkout.api.app import create_app
from checkout.runtime.settings import load_settings

ORIGIN = "https://shop.example"


@pytest.fixture
async def closed_http() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        load_settings(
            database_url="postgresql:///nowhere?host=/nonexistent",
            secret_key="s" * 40,
            admin_token="admin-token-of-the-tests",
            cors_origins=ORIGIN,
        )
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


def is_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert (body["status"], body["code"]) == (status, code)


async def test_it_lives_while_everything_else_is_away(closed_http: httpx.AsyncClient) -> None:
    answer = await closed_http.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_unknown_routes_and_methods_are_problems(closed_http: httpx.AsyncClient) -> None:
    is_problem(await closed_http.get("/nowhere"), 404, "route_not_found")
    is_problem(await closed_http.get("/%00"), 404, "route_not_found")
    answer = await closed_http.delete("/health/live")
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


async def test_a_body_over_64_kilobytes_is_refused_however_it_is_sent(closed_http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(65):
            yield b"x" * 1024

    is_problem(await closed_http.post("/carts", content=b"x" * 65_537), 413, "body_too_large")
    is_problem(await closed_http.post("/carts", content=chunks()), 413, "body_too_large")


async def test_a_page_of_the_shop_can_read_even_a_refusal(closed_http: httpx.AsyncClient) -> None:
    answer = await closed_http.post("/carts", content=b"x" * 65_537, headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    foreign = await closed_http.get("/health/live", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in foreign.headers


async def test_the_page_of_the_documentation_loads_nothing_from_elsewhere(closed_http: httpx.AsyncClient) -> None:
    page = await closed_http.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) >= 2
    for address in loaded:
        assert "//" not in address, address
        assert (await closed_http.get(address)).status_code == 200, address


def test_nothing_that_routes_depend_on_is_called_in_a_thread() -> None:
    """FastAPI calls what is not ``async`` in a thread of a pool, for each request anew."""
    called = {
        part.dependency
        for module in pkgutil.walk_packages(checkout.api.__path__, "checkout.api.")
        for alias in vars(importlib.import_module(module.name)).values()
        if get_origin(alias) is Annotated
        for part in get_args(alias)
        if isinstance(part, Depends)
    }
    assert len(called) > 15
    assert [one for one in called if not (_is_async(one) or _is_async(getattr(one, "__call__", None)))] == []  # noqa: B004


def _is_async(called: Any) -> bool:
    return inspect.iscoroutinefunction(called)
