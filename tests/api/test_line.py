"""The line of starts: who goes, in which order, and who leaves it."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from checkout.api import engine, line
from checkout.api.app import create_app
from checkout.api.line import Line
from checkout.domain import contract
from checkout.runtime.settings import Settings
from tests.api.buyer import CARD, Buyer
from tests.api.problem import problem
from tests.support.http import serve
from tests.support.waiting import eventually
from tests.workflows.fakes import Gate
from tests.workflows.faults import waits
from tests.workflows.stage import Stage


class SoldOut(Exception):
    """Nothing is left to wait for."""


class Visitors:
    """Those who pass a line one after another: each stays inside until it is let go."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.inside: list[str] = []
        self.looks: list[str] = []
        self.leave: dict[str, asyncio.Event] = {}

    def come(self, name: str, sold_out: Callable[[], bool] = lambda: False) -> "asyncio.Task[None]":
        self.leave[name] = asyncio.Event()

        async def look() -> None:
            self.looks.append(name)
            if sold_out():
                raise SoldOut

        async def visit() -> None:
            async with self._line.turn(look):
                self.inside.append(name)
                await self.leave[name].wait()

        return asyncio.create_task(visit())

    async def until_inside(self, *names: str) -> None:
        async def there() -> bool:
            return self.inside == list(names)

        await eventually(there, f"{names} inside")


@pytest.fixture
def visitors(monkeypatch: pytest.MonkeyPatch) -> Visitors:
    monkeypatch.setattr(line, "LONGEST", 120)
    monkeypatch.setattr(line, "GLANCE", 0.01)
    return Visitors(Line(at_once=2))


async def test_the_others_follow_in_their_order_as_the_first_leave(visitors: Visitors) -> None:
    visits = [visitors.come(name) for name in "abcd"]
    await visitors.until_inside("a", "b")
    assert set(visitors.looks) <= {"c"}  # who need not wait, and who is not first in line, looks at nothing
    visitors.leave["b"].set()
    await visitors.until_inside("a", "b", "c")
    visitors.leave["a"].set()
    await visitors.until_inside("a", "b", "c", "d")
    for leave in visitors.leave.values():
        leave.set()
    await asyncio.gather(*visits)
    late = visitors.come("e")
    await visitors.until_inside("a", "b", "c", "d", "e")
    visitors.leave["e"].set()
    await late


async def test_whoever_finds_nothing_left_leaves_at_once_and_the_next_looks(visitors: Visitors) -> None:
    sold_out = asyncio.Event()
    first = [visitors.come(name) for name in "ab"]
    others = [visitors.come(name, sold_out.is_set) for name in "cdef"]
    await visitors.until_inside("a", "b")
    sold_out.set()
    assert [type(outcome) for outcome in await asyncio.gather(*others, return_exceptions=True)] == [SoldOut] * 4
    for leave in visitors.leave.values():
        leave.set()
    await asyncio.gather(*first)
    # Who left without a turn has given none back: still two go at once.
    visits = [visitors.come(name) for name in "xyz"]
    await visitors.until_inside("a", "b", "x", "y")
    for name in "xyz":
        visitors.leave[name].set()
    await asyncio.gather(*visits)


async def test_where_nobody_gets_done_the_others_go_in_the_end(
    visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "LONGEST", 0.05)
    visits = [visitors.come(name) for name in "abcd"]
    await visitors.until_inside("a", "b", "c", "d")
    for leave in visitors.leave.values():
        leave.set()
    await asyncio.gather(*visits)
    monkeypatch.setattr(line, "LONGEST", 120)
    again = [visitors.come(name) for name in "uvw"]
    await visitors.until_inside("a", "b", "c", "d", "u", "v")  # those who went uncounted gave no place back
    for leave in visitors.leave.values():
        leave.set()
    await asyncio.gather(*again)


async def test_a_visitor_who_is_cancelled_in_line_holds_up_nobody(visitors: Visitors) -> None:
    visits = {name: visitors.come(name) for name in "abcd"}
    await visitors.until_inside("a", "b")
    visits.pop("c").cancel()
    for name in "abd":
        visitors.leave[name].set()
    await asyncio.gather(*visits.values())
    assert visitors.inside == ["a", "b", "d"]


@pytest.mark.usefixtures("worker")
async def test_a_start_in_line_is_refused_as_soon_as_nothing_is_left(
    stage: Stage, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one start is under way, the next for the same units waits, and learns it without a checkout of its own."""
    monkeypatch.setattr(line, "LONGEST", 120)
    gate = Gate()
    await stage.shop.product("SOFA", stock={"FRA": 2})
    stage.faults.then(contract.PAYMENT_AUTHORIZATION, *waits(gate))
    with serve(create_app(api_settings.model_copy(update={"starts_at_once": 1}))) as url:
        async with httpx.AsyncClient(base_url=url, timeout=120) as http:
            first, second = Buyer(http, await stage.cart(SOFA=2)), Buyer(http, await stage.cart(SOFA=1))
            selling = asyncio.create_task(first.start(payment=CARD))
            await gate.reached.wait()  # both sofas are held
            refused = await second.start(payment=CARD)
            monkeypatch.setattr(line, "LONGEST", 0)
            monkeypatch.setattr(engine, "UPDATE_WAIT", 1)
            again = await first.start()  # its own units are no shortage to the cart that holds them
            assert again.status_code == 200, again.text
            gate.open()
            assert (await selling).json()["state"] == "completed"
    answer = problem(refused, 422, "insufficient_stock")
    assert answer["phase"] == "cart_validation"
    assert answer["context"]["lines"] == [{"sku": "SOFA", "requested": 1, "available": 0}]
    assert len(await stage.shop.rows("SELECT id FROM checkouts")) == 1
    assert await stage.shop.rows("SELECT id FROM payment_attempts WHERE token IS NOT NULL") == []
