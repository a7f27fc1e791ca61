"""Phase 2: units are held once, from the right warehouses, and never more than there are (G1)."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from checkout.domain.allocation import Hold
from checkout.domain.messages import Adjustment
from checkout.domain.words import OnShortage
from checkout.runtime.database import create_sessions, engine_for
from checkout.store import reserving
from tests.activities.checking_out import CheckingOut, context, refusal, stock
from tests.support.at_once import at_once, database_errors
from tests.support.invariants import check_invariants
from tests.support.locks import until_someone_waits
from tests.support.shop import Shop


async def checkouts(shop: Shop, count: int, lines: dict[str, int], **changes: object) -> list[CheckingOut]:
    """Validated checkouts of as many carts."""
    found = [CheckingOut(shop, await shop.cart(lines)) for _ in range(count)]
    for checking in found:
        await checking.validate(**changes)
    return found


async def test_one_warehouse_that_has_all_is_preferred(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", stock={"FRA": 1, "LYS": 5})
    await shop.product("BOOK", stock={"FRA": 9, "LYS": 5})
    [checking] = await checkouts(shop, 1, {"MUG": 2, "BOOK": 3})
    result = await checking.reserve()
    assert (result.units, result.warehouses, result.adjustments) == (5, ["LYS"], [])
    assert await stock(shop, "MUG") == {"FRA": (1, 0), "LYS": (5, 2)}
    assert await stock(shop, "BOOK") == {"FRA": (9, 0), "LYS": (5, 3)}
    row = await checking.row()
    assert (row["state"], row["version"], row["adjustments"]) == ("locking_prices", result.version, [])
    await check_invariants(engine, at_rest=False)


async def test_else_it_is_split_by_priority(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", stock={"FRA": 2, "LYS": 5})
    [checking] = await checkouts(shop, 1, {"MUG": 6})
    assert (await checking.reserve()).warehouses == ["FRA", "LYS"]
    assert await stock(shop, "MUG") == {"FRA": (2, 2), "LYS": (5, 4)}
    await check_invariants(engine, at_rest=False)


async def test_repeated_and_at_once_it_is_done_once(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", stock=100)
    [checking] = await checkouts(shop, 1, {"MUG": 6})
    results, refused = await at_once(checking.reserve() for _ in range(10))
    assert refused == []
    again = await checking.reserve()
    assert all(result == again for result in results)
    assert await stock(shop, "MUG") == {"FRA": (100, 6)}
    assert await shop.execute("SELECT count(*) FROM stock_movements WHERE kind = 'reserved'") == 1
    await check_invariants(engine, at_rest=False)


async def test_a_shortage_lists_every_short_line_and_holds_nothing(shop: Shop, engine: AsyncEngine) -> None:
    for sku in ("MUG", "BOOK", "PEN"):
        await shop.product(sku, stock={"FRA": 5, "LYS": 5})
    [checking] = await checkouts(shop, 1, {"MUG": 10, "BOOK": 10, "PEN": 1})
    await shop.execute("UPDATE stock SET on_hand = 2 WHERE variant_id <> :v", v=shop.variants["PEN"])
    await shop.execute("UPDATE stock_movements SET on_hand_delta = 2 WHERE variant_id <> :v", v=shop.variants["PEN"])
    error = await refusal(checking.reserve())
    assert error.type == "insufficient_stock"
    assert context(error)["lines"] == [
        {"sku": "MUG", "requested": 10, "available": 4},
        {"sku": "BOOK", "requested": 10, "available": 4},
    ]
    assert (await checking.row())["state"] == "reserving"
    assert await shop.rows("SELECT * FROM reservations") == []
    await checking.undo()
    await check_invariants(engine)


async def test_what_there_is_is_taken_and_said(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", stock={"FRA": 2, "LYS": 1})
    await shop.product("BOOK", stock=0)
    await shop.product("PEN", stock=9)
    [checking] = await checkouts(shop, 1, {"MUG": 5, "BOOK": 1, "PEN": 9}, on_shortage=OnShortage.REDUCE)
    result = await checking.reserve()
    assert result.adjustments == [Adjustment("MUG", 5, 3), Adjustment("BOOK", 1, 0)]
    assert (await checking.reserve()).adjustments == result.adjustments
    assert (await checking.row())["adjustments"] == [
        {"sku": "MUG", "requested": 5, "taken": 3},
        {"sku": "BOOK", "requested": 1, "taken": 0},
    ]
    locked = await checking.lock()
    assert await shop.rows("SELECT sku, quantity FROM price_snapshot_lines ORDER BY position") == [
        ("MUG", 3),
        ("PEN", 9),
    ]
    assert locked.total == round((12 * 2500 + 490) * 1.19)
    await check_invariants(engine, at_rest=False)


async def test_releasing_gives_back_once(shop: Shop, engine: AsyncEngine) -> None:
    await shop.product("MUG", stock={"FRA": 2, "LYS": 5})
    checking, other = await checkouts(shop, 2, {"MUG": 3})
    await checking.reserve()
    await other.reserve()
    before = await stock(shop, "MUG")
    results, refused = await at_once(checking.release() for _ in range(5))
    assert refused == []
    assert sorted(result.count for result in results) == [0, 0, 0, 0, 3]
    assert (await checking.release()).count == 0
    after = await stock(shop, "MUG")
    assert sum(reserved for _, reserved in after.values()) == 3
    assert before != after
    assert await shop.rows("SELECT DISTINCT status FROM reservations WHERE checkout_id = :id", id=other.id) == [
        ("held",)
    ]
    await checking.unlock()
    await check_invariants(engine, at_rest=False)


async def test_sixty_at_once_for_twenty_units_hold_exactly_twenty(
    shop: Shop, engine: AsyncEngine, database_url: str
) -> None:
    await shop.product("MUG", stock={"FRA": 8, "LYS": 12})
    rivals = await checkouts(shop, 60, {"MUG": 1})
    wide = engine_for(database_url, pool_size=30)
    for rival in rivals:
        rival.sessions = create_sessions(wide)
    with database_errors(wide) as errors:
        done, refused = await at_once(rival.reserve() for rival in rivals)
    await wide.dispose()
    assert (len(done), len(refused), errors) == (20, 40, [])
    assert {error.type for error in refused} == {"insufficient_stock"}
    assert await stock(shop, "MUG") == {"FRA": (8, 8), "LYS": (12, 12)}
    await check_invariants(engine, at_rest=False)


async def test_what_was_read_is_checked_when_it_is_taken(shop: Shop, engine: AsyncEngine) -> None:
    """Somebody takes the last units of the preferred warehouse between our reading and our taking."""
    await shop.product("MUG", stock={"FRA": 5, "LYS": 5})
    [checking] = await checkouts(shop, 1, {"MUG": 5})
    async with shop.sessions() as session:
        await session.execute(
            text("UPDATE stock SET reserved = 1 WHERE warehouse_id = :w"), {"w": shop.warehouses["FRA"]}
        )
        reserving_ = asyncio.create_task(checking.reserve())
        await until_someone_waits(shop.sessions)
        await session.commit()
    assert (await reserving_).warehouses == ["LYS"]
    assert await stock(shop, "MUG") == {"FRA": (5, 1), "LYS": (5, 5)}


async def test_what_always_changes_is_locked_in_the_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it has read without a lock, somebody takes a unit of the warehouse that it chose."""
    codes = ["FRA", "LYS", "BER", "ROM", "OSL"]
    for priority, code in enumerate(codes[2:], 3):
        await shop.warehouse(code, priority)
    await shop.product("MUG", stock=dict.fromkeys(codes, 10))
    [checking] = await checkouts(shop, 1, {"MUG": 10})
    read = reserving.read_demand
    locked: list[bool] = []

    async def overtaken(session: AsyncSession, cart_id: str, *, lock: bool = False) -> reserving.CartDemand:
        demand = await read(session, cart_id, lock=lock)
        if not lock:
            warehouse = shop.warehouses[codes[len(locked)]]
            await shop.execute("UPDATE stock SET reserved = 1 WHERE warehouse_id = :w", w=warehouse)
        locked.append(lock)
        return demand

    monkeypatch.setattr(reserving, "read_demand", overtaken)
    assert (await checking.reserve()).warehouses == ["ROM"]
    assert locked == [False, False, False, True]
    assert [reserved for _, reserved in (await stock(shop, "MUG")).values()] == [1, 1, 1, 10, 0]


async def test_two_that_share_skus_in_different_order_never_deadlock(shop: Shop, engine: AsyncEngine) -> None:
    """Two hundred times: both hold the same rows, each naming them in its own order, and give them back."""
    rounds = 200
    skus = [await shop.product(sku, stock={"FRA": 4, "LYS": 4}) for sku in ("MUG", "BOOK", "PEN")]
    wanted = [Hold(v, "", w, 1) for v in skus for w in shop.warehouses.values()]
    basket = await shop.cart({"MUG": 1})
    await shop.execute(
        "INSERT INTO checkouts (id, cart_id, session_id, workflow_id, run_id, state, locked_at) "
        "SELECT 'chk_' || n, :cart, 's', 'w', 'r', 'compensating', now() FROM generate_series(1, :n) n",
        cart=basket.cart_id,
        n=2 * rounds,
    )

    async def hold_and_release(checkout_id: str, holds: list[Hold]) -> bool:
        async with shop.sessions() as session, session.begin():
            held = await reserving.hold(session, checkout_id, holds)
        async with shop.sessions() as session, session.begin():
            await reserving.release(session, checkout_id)
        return held

    with database_errors(engine) as errors:
        for number in range(1, rounds + 1):
            both = (f"chk_{number}", wanted), (f"chk_{rounds + number}", wanted[::-1])
            assert all(await asyncio.gather(*(hold_and_release(*one) for one in both)))
    assert errors == []
    assert await shop.execute("SELECT count(*) FROM stock_movements WHERE kind = 'released'") == 2 * rounds * len(
        wanted
    )
    assert await shop.rows("SELECT DISTINCT on_hand, reserved FROM stock") == [(4, 0)]
