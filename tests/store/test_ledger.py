"""Stock changes: each with its movement, none below what checkouts hold, all safe beside checkouts."""

import asyncio

import pytest

from checkout.runtime.database import Sessions
from checkout.store.ledger import MAX_UNITS, HeldBy, How, StockLevel
from checkout.store.verification import verify_stock
from tests.store.shelves import Shelves


@pytest.fixture
async def shelves(sessions: Sessions) -> Shelves:
    shelves = Shelves(sessions)
    await shelves.build(("main", "north"), ("CUP", "TEA"))
    return shelves


async def agrees(shelves: Shelves) -> bool:
    return not (await verify_stock(shelves.sessions)).differences


async def test_received_units_add_up_and_are_in_the_ledger(shelves: Shelves) -> None:
    first = await shelves.apply(shelves.change("CUP", 5, How.RECEIVE), shelves.change("TEA", 1, How.RECEIVE))
    second = await shelves.apply(shelves.change("CUP", 3, How.RECEIVE))
    assert (first.created, first.updated) == (2, 0)
    assert second.levels == [StockLevel(shelves.variants["CUP"], shelves.warehouses["main"], 8, 0)]
    assert await shelves.movements("CUP") == [("received", 5, 0), ("received", 3, 0)]
    assert await agrees(shelves)


async def test_a_count_sets_on_hand_and_records_the_difference(shelves: Shelves) -> None:
    await shelves.apply(shelves.change("CUP", 5, How.RECEIVE))
    await shelves.apply(shelves.change("CUP", 2, How.SET))
    again = await shelves.apply(shelves.change("CUP", 2, How.SET))
    assert (again.updated, again.unchanged) == (0, 1)
    assert await shelves.stock("CUP") == (2, 0)
    assert await shelves.movements("CUP") == [("received", 5, 0), ("adjusted", -3, 0)]
    assert await agrees(shelves)


async def test_on_hand_is_never_lowered_below_what_checkouts_hold(shelves: Shelves) -> None:
    await shelves.apply(shelves.change("CUP", 5, How.RECEIVE), shelves.change("TEA", 5, How.RECEIVE))
    await shelves.hold("chk_a", "CUP", 2)
    await shelves.hold("chk_b", "CUP", 1)
    outcome = await shelves.apply(shelves.change("CUP", 2, How.SET), shelves.change("TEA", 2, How.SET))
    (refused,) = outcome.refused
    assert (refused.on_hand, refused.reserved) == (5, 3)
    assert refused.held_by == (HeldBy("chk_a", 2), HeldBy("chk_b", 1))
    assert refused.reason.startswith("3 units are held by checkouts, so on_hand cannot be 2: chk_a (2), chk_b (1).")
    assert (await shelves.stock("CUP"), await shelves.stock("TEA")) == ((5, 3), (2, 0))
    assert not (await shelves.apply(shelves.change("CUP", 3, How.SET))).refused
    assert await agrees(shelves)


async def test_an_imported_figure_counts_only_where_it_changed(shelves: Shelves) -> None:
    await shelves.apply(shelves.change("CUP", 5, How.IMPORT))
    await shelves.apply(shelves.change("CUP", 4, How.SET))
    same = await shelves.apply(shelves.change("CUP", 5, How.IMPORT))
    assert (same.unchanged, await shelves.stock("CUP")) == (1, (4, 0))
    await shelves.apply(shelves.change("CUP", 6, How.IMPORT))
    assert await shelves.stock("CUP") == (6, 0)
    assert await shelves.movements("CUP") == [("received", 5, 0), ("adjusted", -1, 0), ("adjusted", 2, 0)]


async def test_a_refused_import_is_tried_again_by_the_next_one(shelves: Shelves) -> None:
    await shelves.apply(shelves.change("CUP", 5, How.IMPORT))
    await shelves.hold("chk_a", "CUP", 4)
    assert (await shelves.apply(shelves.change("CUP", 3, How.IMPORT))).refused
    await shelves.execute("UPDATE reservations SET status = 'released'")
    await shelves.execute("UPDATE stock SET reserved = 0")
    await shelves.apply(shelves.change("CUP", 3, How.IMPORT))
    assert await shelves.stock("CUP") == (3, 0)


async def test_a_count_mends_a_difference_between_row_and_ledger(shelves: Shelves) -> None:
    await shelves.apply(shelves.change("CUP", 5, How.RECEIVE))
    await shelves.execute("UPDATE stock SET on_hand = 9")
    assert not await agrees(shelves)
    await shelves.apply(shelves.change("CUP", 9, How.SET))
    assert await shelves.movements("CUP") == [("received", 5, 0), ("adjusted", 4, 0)]
    assert await agrees(shelves)


@pytest.mark.parametrize(
    ("quantity", "how"), [(-1, How.SET), (0, How.RECEIVE), (MAX_UNITS + 1, How.SET), (-1, How.IMPORT)]
)
async def test_an_impossible_quantity_is_refused(shelves: Shelves, quantity: int, how: How) -> None:
    with pytest.raises(ValueError, match="quantity must be from"):
        await shelves.apply(shelves.change("CUP", quantity, how))
    assert await shelves.stock("CUP") is None


async def test_units_beyond_the_limit_are_refused(shelves: Shelves) -> None:
    await shelves.apply(shelves.change("CUP", MAX_UNITS, How.SET))
    (refused,) = (await shelves.apply(shelves.change("CUP", 1, How.RECEIVE))).refused
    assert "would pass" in refused.reason


async def test_two_changes_of_one_row_are_refused(shelves: Shelves) -> None:
    with pytest.raises(ValueError, match="two changes"):
        await shelves.apply(shelves.change("CUP", 1, How.SET), shelves.change("CUP", 2, How.SET))


async def test_changes_in_any_order_at_once_neither_deadlock_nor_get_lost(shelves: Shelves) -> None:
    rows = [(sku, warehouse) for sku in ("CUP", "TEA") for warehouse in ("main", "north")]

    async def receive(order: list[tuple[str, str]]) -> None:
        for _ in range(10):
            await shelves.apply(*(shelves.change(sku, 1, How.RECEIVE, warehouse) for sku, warehouse in order))

    await asyncio.gather(*(receive(rows if number % 2 else rows[::-1]) for number in range(8)))
    assert [await shelves.stock(sku, warehouse) for sku, warehouse in rows] == [(80, 0)] * 4
    assert await agrees(shelves)
