"""The piece that answers repeats, before routes that count how often they run."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from checkout.api import problems
from checkout.api.bodies import BodyLimits
from checkout.api.codes import KINDS
from checkout.api.database import Database
from checkout.api.idempotency import Idempotency, IntentDep
from checkout.api.problems import Problem
from checkout.api.security import Session
from checkout.runtime.database import Sessions, engine_for
from tests.api.buyer import TOKENS
from tests.api.conftest import ADMIN_TOKEN
from tests.api.problem import problem

ADA, BOB = (f"Bearer {TOKENS.mint(Session(f'ses_{name}'))}" for name in ("ada", "bob"))


class Shop:
    """An API of a few routes, in a process of its own as far as keys go; ``runs`` has the intent of each run."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.runs: list[Any] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()
        app = FastAPI()
        app.state.tokens = TOKENS
        app.state.resources = SimpleNamespace(database=Database(engine), settings=SimpleNamespace(idempotency_lease=30))
        problems.install(app)
        app.add_middleware(Idempotency)
        app.add_middleware(BodyLimits)
        app.api_route("/status/{status}", methods=["POST", "PUT"])(self._status)
        app.post("/problem/{code}")(self._problem)
        app.post("/page")(self._page)
        app.post("/defect")(self._defect)
        app.post("/payments/webhooks/simulated")(self._webhook)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://shop")

    async def _status(self, status: int, request: Request, intent: IntentDep) -> JSONResponse:
        self.runs.append(intent)
        number = len(self.runs)
        self.started.set()
        await self.gate.wait()
        body = {"run": number, "given": (await request.body()).decode()}
        return JSONResponse(body, status, {"Location": f"/made/{number}", "X-Other": "1"})

    async def _problem(self, code: str, intent: IntentDep, of: str | None = None, phase: str | None = None) -> None:
        self.runs.append(intent)
        retry_after = 1 if code in {"checkout_closing", "database_unavailable"} else None
        raise Problem(code, f"run {len(self.runs)}", retry_after=retry_after, checkout_id=of, phase=phase)

    async def _page(self, intent: IntentDep) -> Response:
        self.runs.append(intent)
        return Response(b"\xff", media_type="text/html")

    async def _defect(self, intent: IntentDep) -> None:
        self.runs.append(intent)
        raise ZeroDivisionError

    async def _webhook(self, intent: IntentDep) -> None:
        self.runs.append(intent)

    async def post(self, path: str, key: str | None = "k", *, by: str | None = ADA, body: str = "") -> httpx.Response:
        headers = {"Authorization": by} if by else {}
        return await self.http.post(path, content=body, headers=headers | ({"Idempotency-Key": key} if key else {}))


@pytest.fixture
async def engine(shared_database_url: str) -> AsyncIterator[AsyncEngine]:
    """The database that this process's tests share, without keys."""
    engine = engine_for(shared_database_url, application_name="test")
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotency_keys"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def shop(engine: AsyncEngine) -> AsyncIterator[Shop]:
    shop = Shop(engine)
    yield shop
    await shop.http.aclose()


async def rows(sessions: Sessions) -> int:
    async with sessions() as session:
        return int((await session.execute(text("SELECT count(*) FROM idempotency_keys"))).scalar_one())


async def change(sessions: Sessions, values: str) -> None:
    async with sessions() as session, session.begin():
        await session.execute(text(f"UPDATE idempotency_keys SET {values}"))  # noqa: S608 - the tests' own


@pytest.mark.parametrize(
    "path",
    ["/status/200", "/status/201", "/status/202", "/problem/payment_declined"]
    + [
        f"/problem/{code}"
        for code in ("cart_ordered", "not_payable", "too_late", "total_mismatch", "checkout_expired", "cart_locked")
    ]
    + [
        "/problem/insufficient_stock?of=chk_1",
        "/problem/insufficient_stock?phase=cart_validation",
        "/problem/gateway_refused?of=chk_1",
    ],
)
async def test_what_is_kept_is_answered_again(shop: Shop, sessions: Sessions, path: str) -> None:
    first, second = await shop.post(path), await shop.post(path)
    assert len(shop.runs) == 1
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    for name in ("content-type", "location", "content-length"):
        assert second.headers.get(name) == first.headers.get(name)
    assert (await shop.post(path, "other")).content != first.content


#: Code: whether the next run is told that an earlier one may have had its effect.
NOT_KEPT = {
    "malformed_json": False,
    "token_expired": False,
    "session_required": False,
    "cart_not_found": False,
    "body_too_large": False,
    "validation_failed": False,
    "pricing_impossible": False,
    "checkout_closing": True,
    "database_unavailable": True,
    "checkout_busy": True,
    "internal_error": True,
}


@pytest.mark.parametrize("code", NOT_KEPT)
async def test_what_is_not_kept_is_run_again(shop: Shop, code: str) -> None:
    answers = [await shop.post(f"/problem/{code}") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {KINDS[code].status}
    assert not any("idempotent-replayed" in answer.headers for answer in answers)
    assert [intent.repeated for intent in shop.runs] == [False, NOT_KEPT[code], NOT_KEPT[code]]
    if NOT_KEPT[code]:
        assert len({intent.update_id for intent in shop.runs}) == 1
        problem(await shop.post(f"/problem/{code}", body="2"), 422, "idempotency_key_reused", "Idempotency-Key")
    else:
        assert (await shop.post("/status/200", body="corrected")).json()["run"] == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 429, 422, 500, 502, 503, 504])
async def test_no_other_status_is_kept(shop: Shop, sessions: Sessions, status: int) -> None:
    for run in (1, 2):
        answer = await shop.post(f"/status/{status}")
        assert (answer.status_code, answer.json()["run"]) == (status, run)
    assert [intent.repeated for intent in shop.runs] == [False, status >= 500]
    assert await rows(sessions) == (1 if status >= 500 else 0)


async def test_a_page_is_not_kept(shop: Shop) -> None:
    for _ in range(2):
        page = await shop.post("/page")
        assert (page.status_code, page.content) == (200, b"\xff")
    assert [intent.repeated for intent in shop.runs] == [False, True]


async def test_a_defect_is_not_kept(shop: Shop) -> None:
    with capture_logs() as logged:
        for _ in range(2):
            problem(await shop.post("/defect"), 500, "internal_error")
    assert [entry["event"] for entry in logged] == ["unexpected error"] * 2
    assert [intent.repeated for intent in shop.runs] == [False, True]


async def test_a_key_stands_for_one_request_of_one_caller(shop: Shop) -> None:
    first = (await shop.post("/status/200", body="1")).json()
    problem(await shop.post("/status/200", body="2"), 422, "idempotency_key_reused", "Idempotency-Key")
    for path in ("/status/201", "/status/200?x=1"):
        problem(await shop.post(path, body="1"), 422, "idempotency_key_reused", "Idempotency-Key")
    assert (await shop.post("/status/200", body="1")).json() == first
    for other in (BOB, f"Bearer {ADMIN_TOKEN}"):
        assert (await shop.post("/status/200", by=other, body="2")).json() != first
    assert len({intent.update_id for intent in shop.runs}) == len(shop.runs) == 3


async def test_where_a_key_does_not_count(shop: Shop, sessions: Sessions) -> None:
    headers = {"Authorization": ADA, "Idempotency-Key": "k"}
    for number in (1, 2):
        assert (await shop.http.put("/status/200", headers=headers)).json()["run"] == number
    for by in (None, "Bearer none", "Basic YTpi"):
        assert "idempotent-replayed" not in (await shop.post("/status/200", by=by)).headers
    for _ in range(2):
        await shop.post("/status/200", None)
        await shop.post("/payments/webhooks/simulated")
    assert len(shop.runs) == 9
    assert len({intent.update_id for intent in shop.runs}) == 9
    assert await rows(sessions) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\x7f", "caf\xe9"])
async def test_a_key_that_is_none(shop: Shop, sessions: Sessions, key: str) -> None:
    headers = [(b"Authorization", ADA.encode()), (b"Idempotency-Key", key.encode("latin-1"))]
    answer = await shop.http.post("/status/200", headers=headers)
    problem(answer, 422, "validation_failed", "Idempotency-Key")
    assert (shop.runs, await rows(sessions)) == ([], 0)


async def test_two_keys_are_none(shop: Shop) -> None:
    headers = [("Authorization", ADA), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    problem(await shop.http.post("/status/200", headers=headers), 422, "validation_failed", "Idempotency-Key")


async def test_the_longest_key_is_taken(shop: Shop) -> None:
    assert (await shop.post("/status/200", "~ " * 127 + "x")).status_code == 200


async def test_one_runs_and_the_others_are_told_so(shop: Shop, engine: AsyncEngine) -> None:
    other = Shop(engine)
    shop.gate.clear()
    running = asyncio.create_task(shop.post("/status/200"))
    await shop.started.wait()
    for process in (shop, other):
        busy = problem(await process.post("/status/200"), 409, "idempotency_key_in_use")
        assert busy["status"] == 409
    problem(await other.post("/status/200", body="2"), 422, "idempotency_key_reused", "Idempotency-Key")
    shop.gate.set()
    first = await running
    assert (await other.post("/status/200")).json() == first.json()
    assert (len(shop.runs), other.runs) == (1, [])
    await other.http.aclose()


async def test_whoever_takes_over_has_the_same_intent_and_the_last_word(
    shop: Shop, engine: AsyncEngine, sessions: Sessions
) -> None:
    other = Shop(engine)
    shop.gate.clear()
    paused = asyncio.create_task(shop.post("/status/200", body="x"))
    await shop.started.wait()
    await change(sessions, "lease_until = now()")
    other.runs.append(None)  # so that its answer is another
    other.gate.clear()
    taking = asyncio.create_task(other.post("/status/200", body="x"))
    await other.started.wait()
    assert other.runs[1].repeated
    assert other.runs[1].update_id == shop.runs[0].update_id
    shop.gate.set()
    assert (await paused).json()["run"] == 1
    problem(await shop.post("/status/200", body="x"), 409, "idempotency_key_in_use")
    other.gate.set()
    taken = await taking
    assert taken.json()["run"] == 2
    assert (await shop.post("/status/200", body="x")).content == taken.content
    await other.http.aclose()


async def test_after_a_day_a_key_is_new(shop: Shop, sessions: Sessions) -> None:
    await shop.post("/status/200", body="1")
    await shop.post("/status/200", "another", body="1")
    await change(sessions, "expires_at = now()")
    answer = await shop.post("/status/200", body="2")
    assert answer.json() == {"run": 3, "given": "2"}
    assert not shop.runs[2].repeated
    assert shop.runs[2].update_id != shop.runs[0].update_id
    assert await rows(sessions) == 1  # the other is forgotten
    assert (await shop.post("/status/200", body="2")).json()["run"] == 3
