"""Whatever is sent: a problem that names the field, nothing changed, never a 500.

Each test takes one route and sends all that is wrong, so that what is not refused is seen at once.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

from checkout.api.app import create_app
from checkout.api.engine import Engine
from checkout.api.security import Session, Tokens
from checkout.runtime.database import create_sessions, engine_for
from checkout.runtime.settings import load_settings
from tests.api.conftest import ADMIN_TOKEN, SECRET_KEY
from tests.api.problem import problem
from tests.api.routes import Route, at, fields_of, routes, taking_bodies, with_value
from tests.support import databases
from tests.support.http import serve
from tests.support.shop import Shop
from tests.support.temporal import TemporalEnvironment, temporal_settings

SESSION = Session("ses_of_the_tests", "customer-1")
BEARER = {"Authorization": f"Bearer {Tokens(SECRET_KEY, ADMIN_TOKEN).mint(SESSION)}"}
OPERATOR = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
LONG = "x" * 10_000

UNSTORABLE = ["a\x00b", "a\nb", "\x7f", "a\u200bb\u2028"]
NOT_STRINGS: list[Any] = [1, 1.5, True, [], ["x"], {}, {"x": 1}]
NOT_INTEGERS: list[Any] = ["60", "", 60.5, 60.0, True, [], {}, -1, -(2**62), 2**62, 10**30]
NOT_OBJECTS: list[Any] = [1, "x", True, [], [{}]]
#: Values that are of the right type and wrong, by field.
WRONG: dict[str, list[Any]] = {
    "currency": ["eur", "EURO", "XXX", "XAU", "ZZZ", "€€€", ""],
    "country": ["de", "DEU", "XX", "UK", "", "🇩🇪"],
    "quantity": [0, -1, 1000, 10**9],
    "email": ["ada", "ada@", "@example.com", "ada@example", "a b@example.com", "a@b@example.com", ""],
    "ttl_seconds": [0, 9, 3601, 10**9],
    "expected_total": [-1, 10**16],
    "on_shortage": ["FAIL", "reduce ", "", "maybe"],
    "method": ["cash", "CARD", "", "bank"],
    "compensation": ["release_stock", "VOID_PAYMENT", ""],
    "reason": ["x" * 501],
    "done": ["x" * 501],
    "token": ["", " ", "tok visa", "tok_\x01"],
}
REQUIRED_NULL = {
    *("currency", "quantity", "shipping", "name", "line1", "city", "postal_code", "country", "code", "option"),
    *("session_token", "cart_id", "method", "on_shortage", "restock", "reason"),
    *("done", "compensation"),
}


@dataclass(frozen=True)
class Target:
    """One API that all tests here share, since none of them changes anything."""

    url: str
    database_url: str
    task_queue: str
    cart_id: str

    def contents(self) -> dict[str, Any]:
        """Each table's rows, as one digest."""
        with psycopg.connect(self.database_url) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            digest = "SELECT md5(COALESCE(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"
            return {
                name: connection.execute(SQL(digest).format(Identifier(name))).fetchone()
                for (name,) in tables
                # In which what was refused stands as well, and what was counted some requests ago.
                if name not in {"admin_actions", "minute_counts"}
            }


def bearer(route: Route) -> dict[str, str]:
    """The token that the route takes."""
    return OPERATOR if route.for_admins else BEARER


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    there = temporal_settings()
    with databases.fresh_database() as database_url:
        api = load_settings(
            database_url=database_url,
            temporal_address=there.temporal_address,
            temporal_namespace=there.temporal_namespace,
            temporal_task_queue=f"test-{secrets.token_hex(6)}",
            secret_key=SECRET_KEY,
            admin_token=ADMIN_TOKEN,
            rate_limit_wrong_tokens="off",  # many are sent here
        )
        cart_id = asyncio.run(furnish(database_url))
        with serve(create_app(api)) as url:
            yield Target(url, database_url, api.temporal_task_queue, cart_id)


async def furnish(database_url: str) -> str:
    engine = engine_for(database_url)
    shop = await Shop(create_sessions(engine)).open()
    await shop.product("MUG")
    basket = await shop.cart({"MUG": 1}, session_id=SESSION.id)
    await engine.dispose()
    return basket.cart_id


@pytest.fixture
def cart_id(target: Target) -> str:
    return target.cart_id


@pytest.fixture
async def http(target: Target) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=target.url, timeout=120) as client:
        yield client


@pytest.fixture
async def unchanged(target: Target, temporal_env: TemporalEnvironment) -> AsyncIterator[None]:
    """Holds the test to having changed no row and started no checkout."""
    before = target.contents()
    yield
    assert target.contents() == before
    assert await Engine(temporal_env.client, target.task_queue).latest_run(target.cart_id) is None


def values_for(field: str, valid: Any) -> Iterator[Any]:
    """All that is wrong for a field whose valid value is this."""
    yield from WRONG.get(field, [])
    if field in REQUIRED_NULL:
        yield None
    match valid:
        case bool():
            yield from [*(value for value in NOT_STRINGS if value is not True), "true", 0]
        case int():
            yield from NOT_INTEGERS
        case str():
            yield from NOT_STRINGS
            yield LONG
            yield from UNSTORABLE
            yield from ["", "   "]
        case dict():
            yield from NOT_OBJECTS


async def send(http: httpx.AsyncClient, route: Route, body: Any, cart_id: str) -> httpx.Response:
    if isinstance(body, dict) and isinstance(body.get("cart_id"), str) and body["cart_id"].startswith("cart_4x8"):
        body = {**body, "cart_id": cart_id}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {**bearer(route), "Content-Type": "application/json"}
    return await http.request(route.method, route.url(cart_id=cart_id), content=content, headers=headers)


def names_field(answer: httpx.Response, path: tuple[str, ...]) -> bool:
    """Whether the problem names the field, or what the field is in or of (a missing one, an unknown one)."""
    named = [error["field"] for error in answer.json().get("errors", [])]
    return any(".".join(path) == each or each.startswith(".".join(path) + ".") for each in named)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", taking_bodies(), ids=str)
async def test_every_field_refuses_what_is_not_its_kind(http: httpx.AsyncClient, cart_id: str, route: Route) -> None:
    body = route.body
    assert body is not None
    taken = []
    for path in fields_of(body):
        for value in values_for(path[-1], at(body, path)):
            answer = await send(http, route, with_value(body, path, value), cart_id)
            if answer.status_code not in {400, 422} or not names_field(answer, path):
                taken.append((".".join(path), value, answer.status_code, answer.text[:300]))
    assert not taken


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", taking_bodies(), ids=str)
async def test_every_object_refuses_unknown_and_missing_fields(
    http: httpx.AsyncClient, cart_id: str, route: Route
) -> None:
    body = route.body
    assert body is not None
    objects = [(), *(path for path in fields_of(body) if isinstance(at(body, path), dict))]
    for path in objects:
        inner = {**(at(body, path) if path else body), "unknown": 1}
        answer = await send(http, route, with_value(body, path, inner) if path else inner, cart_id)
        problem(answer, 422, "validation_failed", ".".join((*path, "unknown")))
    answer = await send(http, route, {**body, LONG: 1}, cart_id)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "x" * 100 + "…")
    for path in fields_of(body):
        if path[-1] in REQUIRED_NULL - {"on_shortage", "restock"}:
            *outer, name = path
            whole = {key: value for key, value in at(body, tuple(outer)).items() if key != name}
            answer = await send(http, route, with_value(body, tuple(outer), whole) if outer else whole, cart_id)
            problem(answer, 422, "validation_failed", ".".join(path))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", taking_bodies(), ids=str)
async def test_every_route_refuses_what_is_no_object(http: httpx.AsyncClient, cart_id: str, route: Route) -> None:
    for value in (*NOT_OBJECTS, None):
        answer = await send(http, route, value, cart_id)
        assert answer.status_code == 422, (value, answer.text)
        assert answer.json()["errors"], value
    valid = json.dumps(route.body).encode()
    malformed = [
        *(b"{", b"nul", b"'x'", valid[:-1], valid + b"x", valid + valid, b"\xff" + valid, valid[:-1] + b', "a": NaN}'),
        *(b'{"a": 1, "a": 2}', b'{"\xc3\x28": 1}', valid.decode().encode("utf-16"), b"[" * 60_000, b'{"a": 1e400}x'),
        *(b'{"a": ' * 3000 + b"1" + b"}" * 3000,),
    ]
    for content in malformed:
        problem_of_body = await send(http, route, content, cart_id)
        assert problem_of_body.status_code == 400, (content[:50], problem_of_body.text)
        assert problem_of_body.json()["code"] == "malformed_json"
    answer = await send(http, route, b"", cart_id)
    problem(answer, 422, "validation_failed", "body")
    problem(await send(http, route, b" " * 65_537, cart_id), 413, "body_too_large")
    surrogate = await send(http, route, b'{"unknown": "\\ud800"}', cart_id)
    problem(surrogate, 422, "validation_failed", "unknown")
    as_text = await http.request(
        route.method, route.url(cart_id=cart_id), content=valid, headers={**bearer(route), "Content-Type": "text/plain"}
    )
    problem(as_text, 422, "validation_failed", "body")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", [each for each in routes() if each.needs_token], ids=str)
async def test_every_route_refuses_broken_tokens(http: httpx.AsyncClient, cart_id: str, route: Route) -> None:
    later, claims = int(time.time()) + 3600, {"sub": SESSION.id}
    right = jwt.encode({**claims, "exp": later}, SECRET_KEY, algorithm="HS256")
    broken: dict[str, list[str | None]] = {
        "token_missing": [None],
        "token_expired": [jwt.encode({**claims, "exp": 1}, SECRET_KEY, algorithm="HS256")],
        "token_invalid": [
            jwt.encode({**claims, "exp": later}, "another-key-" * 5, algorithm="HS256"),
            jwt.encode({**claims, "exp": later}, "", algorithm="none"),
            jwt.encode({**claims, "exp": later}, SECRET_KEY, algorithm="HS384"),
            jwt.encode(claims, SECRET_KEY, algorithm="HS256"),
            right[:-1] + ("A" if right[-1] != "A" else "B"),
            right.replace(".", ""),
            LONG,
        ],
    }
    for code, sent in broken.items():
        for token in sent:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = await http.request(route.method, route.url(cart_id=cart_id), json=route.body, headers=headers)
            problem(answer, 401, code)
            assert answer.headers["www-authenticate"] == "Bearer"
    for header in ("", "Bearer", f"Basic {right}", right, f"bearer{right}", "Bearer é"):
        raw = [(b"Authorization", header.encode("latin-1"))]
        answer = await http.request(route.method, route.url(cart_id=cart_id), json=route.body, headers=raw)
        assert answer.status_code == 401, (header, answer.text)
    other = BEARER if route.for_admins else OPERATOR
    answer = await http.request(route.method, route.url(cart_id=cart_id), json=route.body, headers=other)
    problem(answer, 403, "admin_required" if route.for_admins else "session_required")


NAMES = ["cart_id", "checkout_id", "sku", "reference"]
WRONG_NAMES = [
    "x",
    "cart_",
    "chk__",
    "%27%20OR%201%3D1--",
    "undefined",
    "%2E%2E",
    "%FF%FE",
    "ö",
    "a" * 255,
    "chk_x_" + "9" * 200,
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("route", [each for each in routes() if "{" in each.path], ids=str)
async def test_every_path_refuses_what_is_no_id(http: httpx.AsyncClient, cart_id: str, route: Route) -> None:
    body = route.body
    if body is not None and "session_token" in body:
        body["session_token"] = BEARER["Authorization"].removeprefix("Bearer ")
    for name in NAMES:
        if f"{{{name}}}" not in route.path:
            continue

        async def ask(value: str, name: str = name) -> httpx.Response:
            url = route.url(**{"cart_id": cart_id, name: value})
            return await http.request(route.method, url, json=body, headers=bearer(route))

        for value in WRONG_NAMES:
            answer = await ask(value)
            if route.method == "DELETE" and name == "sku":
                assert answer.status_code == 200  # what is not there is deleted
            else:
                assert answer.status_code == 404, (value, answer.text)
                assert answer.json()["code"].endswith("_not_found")
        problem(await ask(LONG), 422, "validation_failed", name)
        for value in ("a%00b", "a%0A", "%0A", "a%C2%85"):
            problem(await ask(value), 404, "route_not_found")


async def test_queries_are_strict(http: httpx.AsyncClient) -> None:
    for currency in WRONG["currency"]:
        for path in ("/products", "/products/MUG"):
            refused = await http.get(path, params={"currency": currency})
            problem(refused, 422, "validation_failed", "currency")
    for limit in ("0", "-1", "1001", "x", "1.5", "", "9" * 30):
        problem(await http.get("/products", params={"limit": limit}), 422, "validation_failed", "limit")
    problem(await http.get("/products", params={"colour": "blue"}), 422, "validation_failed", "colour")
    problem(await http.get("/products", params={LONG: "1"}), 422, "validation_failed", "x" * 100 + "…")
    live = await http.get("/checkouts/chk_a_b", params={"live": "perhaps"}, headers=BEARER)
    problem(live, 422, "validation_failed", "live")


@pytest.mark.usefixtures("unchanged")
async def test_card_numbers_are_refused_wherever_they_are(http: httpx.AsyncClient, cart_id: str) -> None:
    card = "4242 4242 4242 4242"
    for route, body in (
        ("/checkouts", {"cart_id": cart_id, "payment": {"method": "card", "token": card}}),
        ("/checkouts", {"cart_id": cart_id, "card": {"number": card}}),
        ("/checkouts/chk_a_b/payment", {"method": "card", "token": "4242424242424242"}),
        (f"/carts/{cart_id}/claim", {"session_token": f"card {card}"}),
    ):
        answer = await http.post(route, json=body, headers=BEARER)
        assert (answer.status_code, answer.json()["code"]) == (422, "card_number_refused")
        assert "4242" not in answer.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("route", taking_bodies(), ids=str)
def test_no_body_at_all_is_a_500(target: Target, route: Route) -> None:
    body = route.body
    assert body is not None
    fields = fields_of(body)

    with httpx.Client(base_url=target.url, headers=bearer(route), timeout=120) as http:

        @settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from(fields), JSON)
        def fuzz(path: tuple[str, ...], value: Any) -> None:
            assert body is not None
            answer = http.request(route.method, route.url(), json=with_value(body, path, value))
            assert answer.status_code < 500, answer.text
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"

        fuzz()
