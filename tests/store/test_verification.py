"""`checkout verify`: every difference is found, says what to do, and what it says to do mends it."""

import pytest

from checkout.runtime.database import Sessions
from checkout.store.ledger import How
from checkout.store.verification import repair_stock, verify_stock
from tests.store.shelves import Shelves


@pytest.fixture
async def shelves(sessions: Sessions) -> Shelves:
    shelves = Shelves(sessions)
    await shelves.build(("main",), ("CUP", "TEA"))
    await shelves.apply(shelves.change("CUP", 5, How.RECEIVE), shelves.change("TEA", 5, How.RECEIVE))
    await shelves.hold("chk_a", "CUP", 2)
    return shelves


async def differences(shelves: Shelves) -> list[str]:
    return [str(difference) for difference in (await verify_stock(shelves.sessions)).differences]


async def test_what_agrees_is_counted(shelves: Shelves) -> None:
    found = await verify_stock(shelves.sessions)
    assert (found.rows, found.movements, found.held, found.differences) == (2, 3, 1, ())


async def test_units_without_a_movement(shelves: Shelves) -> None:
    await shelves.execute("UPDATE stock SET on_hand = 7 WHERE variant_id = :v", v=shelves.variants["CUP"])
    (difference,) = await differences(shelves)
    assert difference == (
        "CUP in main: on_hand is 7, by the ledger it is 5. Count the units, those that checkouts hold included, and "
        "say how many there are: checkout stock set CUP 7 --warehouse main (if there are 7)"
    )
    await repair_stock(shelves.sessions)
    assert await differences(shelves) == [difference]
    await shelves.apply(shelves.change("CUP", 6, How.SET))
    assert await differences(shelves) == []


async def test_reserved_units_that_nobody_holds(shelves: Shelves) -> None:
    await shelves.execute("UPDATE stock SET reserved = 4 WHERE variant_id = :v", v=shelves.variants["CUP"])
    (difference,) = await differences(shelves)
    assert difference == (
        "CUP in main: reserved is 4, by the reservations it is 2. Set it to what checkouts hold: checkout verify "
        "--repair"
    )
    repaired = await repair_stock(shelves.sessions)
    assert (repaired.reservations, repaired.rows) == (0, 1)
    assert await differences(shelves) == []
    assert await shelves.stock("CUP") == (5, 2)


async def test_a_reservation_that_the_row_forgot(shelves: Shelves) -> None:
    await shelves.execute("UPDATE stock SET reserved = 0 WHERE variant_id = :v", v=shelves.variants["CUP"])
    assert len(await differences(shelves)) == 1
    await repair_stock(shelves.sessions)
    assert await shelves.stock("CUP") == (5, 2)
    assert await differences(shelves) == []


async def test_a_reservation_without_its_movement(shelves: Shelves) -> None:
    await shelves.execute("DELETE FROM stock_movements WHERE kind = 'reserved'")
    (difference,) = await differences(shelves)
    assert difference.startswith("CUP in main: the ledger's reserved is 0, by the reservations it is 2.")
    await repair_stock(shelves.sessions)
    assert await shelves.movements("CUP") == [("received", 5, 0), ("adjusted", 0, 2)]
    assert await differences(shelves) == []


async def test_more_held_than_on_hand_needs_a_count_first(shelves: Shelves) -> None:
    await shelves.execute("UPDATE reservations SET quantity = 8")
    found = await differences(shelves)
    assert found[0].startswith("CUP in main: reserved is 2, by the reservations it is 8. Only 5 are on hand: cancel")
    assert "checkout stock set CUP 8 --warehouse main" in found[0]
    assert (await repair_stock(shelves.sessions)).rows == 0
    await shelves.apply(shelves.change("CUP", 8, How.SET))
    await repair_stock(shelves.sessions)
    assert (await differences(shelves), await shelves.stock("CUP")) == ([], (8, 8))


@pytest.mark.parametrize(
    ("state", "status", "then"),
    [
        ("failed", "released", "checkout verify --repair"),
        (
            "completed",
            "committed",
            "checkout verify --repair, then count the units: checkout stock set CUP COUNT --warehouse main",
        ),
    ],
)
async def test_units_that_a_closed_checkout_holds(shelves: Shelves, state: str, status: str, then: str) -> None:
    await shelves.execute("UPDATE checkouts SET state = :state", state=state)
    (difference,) = await differences(shelves)
    assert difference == (
        f"CUP in main: what chk_a holds is 2, by its state, {state}, it is 0. End its reservation: {then}"
    )
    repaired = await repair_stock(shelves.sessions)
    assert (repaired.reservations, repaired.rows) == (1, 1)
    assert await shelves.rows("SELECT status FROM reservations") == [(status,)]
    assert (await differences(shelves), await shelves.stock("CUP")) == ([], (5, 0))
    assert (await repair_stock(shelves.sessions)).rows == 0
