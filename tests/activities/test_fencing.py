"""G5: an attempt that wakes up late does nothing for a checkout that is being undone or closed.

Each test is one of the ways to a loss that the model of the protocol found where a guard is missing.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from structlog.testing import capture_logs

from checkout.domain.allocation import Hold
from checkout.domain.words import Outcome, Phase
from checkout.runtime.database import Sessions, create_sessions, engine_for, in_transaction
from checkout.runtime.statements import Transaction
from checkout.store.fence import begin_compensation, enter
from checkout.store.reserving import hold
from tests.activities.checking_out import CheckingOut, context, refusal, stock
from tests.support.at_once import at_once
from tests.support.invariants import check_invariants
from tests.support.locks import until_someone_waits
from tests.support.shop import Shop


class Paused:
    """The database of a process that is stopped right before its transaction, until it is let go."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.reached.set()
        await self._go.wait()
        async with self._sessions.transaction() as transaction:
            yield transaction

    def go(self) -> None:
        self._go.set()


PHASES = ["validate", "reserve", "lock", "create", "commit"]


async def before(phase: str, checking: CheckingOut) -> None:
    """Bring the checkout to where the phase is the next one."""
    if phase == "validate":
        return
    await checking.validate()
    if phase == "reserve":
        return
    await checking.reserve()
    if phase == "lock":
        return
    await checking.lock()
    await checking.authorized()
    if phase == "create":
        return
    await checking.create()
    await checking.captured()


@pytest.fixture
async def checking(shop: Shop) -> CheckingOut:
    await shop.product("MUG", 2500, 10)
    await shop.coupon("TEN", limit_total=5)
    return CheckingOut(shop, await shop.cart({"MUG": 2}, coupon_code="TEN"))


async def nothing_is_held(checking: CheckingOut, engine: AsyncEngine, state: str) -> None:
    row = await checking.row()
    assert row["state"] == state
    assert await stock(checking.shop, "MUG") == {"FRA": (10, 0)}
    assert await checking.shop.rows("SELECT redeemed FROM coupons") == [(0,)]
    assert (await checking.cart())["locked_by"] is None
    await check_invariants(engine)


@pytest.mark.parametrize("phase", PHASES)
async def test_a_phase_paused_until_the_checkout_is_closed_does_nothing(
    checking: CheckingOut, engine: AsyncEngine, phase: str
) -> None:
    await before(phase, checking)
    late = CheckingOut(checking.shop, checking.basket, id=checking.id)
    paused = Paused(checking.shop.sessions)
    late.sessions = cast(Sessions, paused)
    attempt = asyncio.create_task(refusal(getattr(late, phase)()))
    await paused.reached.wait()
    await checking.gave_back()
    await checking.undo(Outcome.EXPIRED)
    closed = await checking.row()
    paused.go()
    error = await attempt
    assert (error.type, context(error)["state"]) == ("checkout_closed", "expired")
    assert await checking.row() == closed
    await nothing_is_held(checking, engine, "expired")


@pytest.mark.parametrize("phase", PHASES)
async def test_a_phase_that_waits_behind_the_first_compensation_does_nothing(
    checking: CheckingOut, engine: AsyncEngine, phase: str
) -> None:
    """The compensation has the row's lock and is about to commit; the phase is already at the door."""
    await before(phase, checking)
    async with checking.shop.sessions() as compensating:
        await begin_compensation(compensating, checking.undoing())
        attempt = asyncio.create_task(refusal(getattr(checking, phase)()))
        await until_someone_waits(checking.shop.sessions)
        await compensating.commit()
    error = await attempt
    assert (error.type, context(error)["state"]) == ("checkout_closed", "compensating")
    await checking.gave_back()
    await checking.undo()
    await nothing_is_held(checking, engine, "failed")


@pytest.mark.parametrize("phase", PHASES)
async def test_a_compensation_that_waits_behind_a_phase_undoes_it(
    checking: CheckingOut, engine: AsyncEngine, phase: str
) -> None:
    """The phase commits first: the compensation, of the same moment, still finds all it has to give back."""
    await before(phase, checking)
    results = await asyncio.gather(getattr(checking, phase)(), checking.release(), return_exceptions=True)
    if phase == "commit" and not isinstance(results[0], BaseException):
        assert (await checking.row())["state"] == "completed"
        await check_invariants(engine)
        return
    await checking.gave_back()
    await checking.undo()
    await nothing_is_held(checking, engine, "failed")


async def test_a_compensation_that_comes_first_leaves_a_tombstone(checking: CheckingOut, engine: AsyncEngine) -> None:
    await checking.release()
    tombstone = await checking.row()
    assert (tombstone["state"], tombstone["phase"], tombstone["results"]) == ("compensating", "cart_validation", {})
    error = await refusal(checking.validate())
    assert (error.type, context(error)["state"]) == ("checkout_closed", "compensating")
    assert (await checking.cart())["locked_by"] is None
    await checking.unlock(Outcome.CANCELLED)
    assert (await refusal(checking.validate())).type == "checkout_closed"
    assert (await checking.cart())["checkout_id"] == checking.id
    await nothing_is_held(checking, engine, "cancelled")


async def test_tombstone_and_first_phase_at_once_agree(checking: CheckingOut, engine: AsyncEngine) -> None:
    for _ in range(20):
        rival = CheckingOut(checking.shop, checking.basket)
        done, refused = await at_once(attempt() for attempt in _both(rival))
        assert {error.type for error in refused} <= {"checkout_closed"}
        assert len(done) + len(refused) == 2
        assert (await rival.row())["state"] == "compensating"
        await rival.undo()
    await nothing_is_held(rival, engine, "failed")


def _both(checking: CheckingOut) -> list[Callable[[], Awaitable[object]]]:
    return [checking.validate, checking.release]


async def test_a_cart_that_never_was_needs_no_tombstone(checking: CheckingOut) -> None:
    nowhere = CheckingOut(checking.shop, checking.basket)
    await checking.shop.execute("DELETE FROM carts")
    assert (await nowhere.release()).count == 0
    assert (await nowhere.unlock()).version == 0
    assert await nowhere.row() == {}


async def test_local_phases_of_a_terminated_run_do_nothing_beside_a_new_run(
    checking: CheckingOut, engine: AsyncEngine
) -> None:
    """The old run is terminated and undone, a new one runs; then the worker still starts the old one's phases."""
    await checking.validate()
    await checking.reserve()
    await checking.undo()
    new = CheckingOut(checking.shop, checking.basket)
    await new.until_priced()
    for phase in (checking.validate, checking.reserve, checking.lock, checking.create, checking.commit):
        assert (await refusal(phase())).type == "checkout_closed"
    assert (await refusal(checking.extend(datetime.now(UTC)))).type == "checkout_closed"
    assert await stock(checking.shop, "MUG") == {"FRA": (10, 2)}
    await checking.undo()
    assert (await checking.cart())["locked_by"] == new.id
    assert await stock(checking.shop, "MUG") == {"FRA": (10, 2)}
    await new.authorized()
    await new.create()
    await new.captured()
    await new.commit()
    await check_invariants(engine)


async def test_the_old_run_is_fenced_even_while_its_row_still_runs(checking: CheckingOut) -> None:
    """Somebody took the cart away from a checkout (a repair by hand): its phases notice by the lock, not the state."""
    await checking.validate()
    await checking.shop.execute("UPDATE carts SET locked_by = 'chk_other'")
    for phase in (checking.reserve, checking.lock):
        error = await refusal(phase())
        assert error.type == "checkout_closed"
    assert await stock(checking.shop, "MUG") == {"FRA": (10, 0)}


async def test_phases_have_an_order(checking: CheckingOut) -> None:
    assert (await refusal(checking.reserve())).type == "checkout_closed", "there is no such checkout"
    await checking.validate()
    for phase in (checking.lock, checking.create, checking.commit):
        error = await refusal(phase())
        assert (error.type, context(error)["state"]) == ("out_of_order", "reserving")
    await checking.reserve()
    await checking.validate()
    assert (await checking.row())["state"] == "locking_prices", "a repeat of what is done moves nothing back"


async def test_every_phase_answers_again_when_the_checkout_is_completed(
    checking: CheckingOut, engine: AsyncEngine
) -> None:
    """A run that was reset, or an engine restored from a backup, goes through it all again."""
    phases = (checking.validate, checking.reserve, checking.lock, checking.create, checking.commit)
    await checking.complete()
    completed = await checking.row()
    versions = [(await phase()).version for phase in phases]
    assert versions == sorted(versions)
    assert versions[-1] == completed["version"]
    assert await checking.row() == completed
    await check_invariants(engine)


async def test_a_deadlock_is_run_again_and_not_answered(
    checking: CheckingOut, engine: AsyncEngine, database_url: str
) -> None:
    """Two transactions that lock in opposite order (nothing of ours does): the loser is repeated by itself."""
    other = CheckingOut(checking.shop, await checking.shop.cart({"MUG": 1}))
    await checking.validate()
    await other.validate()
    barrier = asyncio.Barrier(2)
    runs = 0

    async def lock_both(first: CheckingOut, second: CheckingOut) -> None:
        async def work(session: AsyncSession) -> None:
            nonlocal runs
            runs += 1
            await begin_compensation(session, first.undoing())
            if runs <= 2:
                await barrier.wait()
            await begin_compensation(session, second.undoing())

        await in_transaction(create_sessions(impatient), work)

    impatient = engine_for(database_url)
    await asyncio.gather(lock_both(checking, other), lock_both(other, checking))
    await impatient.dispose()
    assert runs >= 3  # more, where the one that is repeated meets the other once more
    await checking.undo()
    await other.undo()
    await check_invariants(engine)


async def test_a_local_attempt_gives_up_waiting_before_its_time_is_over(
    checking: CheckingOut, database_url: str
) -> None:
    """It fails with what is retried, and the regular attempt that follows waits as long as it takes."""
    await checking.validate()
    hurried = engine_for(database_url, lock_timeout=0.05)
    local = CheckingOut(checking.shop, checking.basket, local=True, id=checking.id)
    local.sessions = create_sessions(hurried)
    regular = CheckingOut(checking.shop, checking.basket, id=checking.id)
    regular.sessions = create_sessions(hurried)
    async with checking.shop.sessions() as holder:
        await holder.execute(text("SELECT FROM checkouts WHERE id = :id FOR UPDATE"), {"id": checking.id})
        # Captured, because to draw the logged traceback may take longer than the holder's transaction may be idle.
        with capture_logs(), pytest.raises(Exception, match="SQLSTATE 55P03"):
            await local.reserve()
        attempt = asyncio.create_task(regular.reserve())
        await until_someone_waits(checking.shop.sessions)
        await holder.commit()
    assert (await attempt).units == 2
    await hurried.dispose()


async def test_a_worker_that_is_stopped_in_its_transaction_keeps_nobody_waiting(
    checking: CheckingOut, engine: AsyncEngine, database_url: str
) -> None:
    """It holds the last units' row when it is stopped: the server ends its transaction, and others go on."""
    await checking.validate()
    other = CheckingOut(checking.shop, await checking.shop.cart({"MUG": 10}))
    await other.validate()
    stopped = engine_for(database_url, idle_timeout=0.5)
    async with create_sessions(stopped)() as session:
        await enter(session, checking.id, Phase.INVENTORY_RESERVATION)
        assert await hold(session, checking.id, [Hold(checking.shop.variants["MUG"], "MUG", 1, 2)])
        assert (await other.reserve()).units == 10
        with pytest.raises(DBAPIError):  # it wakes up
            await session.execute(text("SELECT 1"))
    await stopped.dispose()
    assert (await refusal(checking.reserve())).type == "insufficient_stock"
    assert await stock(checking.shop, "MUG") == {"FRA": (10, 10)}
    await check_invariants(engine, at_rest=False)


async def test_an_extension_moves_the_deadline_to_later_times_alone(checking: CheckingOut) -> None:
    await checking.until_priced()
    start = datetime.fromisoformat((await checking.row())["expires_at"])
    later = await checking.extend(start + timedelta(minutes=10))
    earlier = await checking.extend(start + timedelta(minutes=5))
    assert later.expires_at == earlier.expires_at
    assert datetime.fromisoformat(later.expires_at) == start + timedelta(minutes=10)
    assert datetime.fromisoformat((await checking.row())["expires_at"]) == start + timedelta(minutes=10)
    assert earlier.version > later.version
    await checking.undo()
    assert (await refusal(checking.extend(start + timedelta(minutes=20)))).type == "checkout_closed"


async def test_every_change_has_a_version_and_is_told(checking: CheckingOut, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN checkout_changed")
        await checking.complete()
        version = (await checking.row())["version"]
        told = [json.loads(note.payload) for note in listener.notifies(timeout=60, stop_after=version)]
        while len(told) < version:
            told += [json.loads(note.payload) for note in listener.notifies(timeout=60, stop_after=1)]
    assert told == [{"id": checking.id, "version": number} for number in range(1, version + 1)]
