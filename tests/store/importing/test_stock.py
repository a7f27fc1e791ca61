"""Stock figures from a file: set, each with a movement, bad rows said, checkouts safe."""

from pathlib import Path

import pytest

from checkout.runtime.database import Sessions
from checkout.store.importing import stock as importer
from checkout.store.importing.report import Counts, ImportRefused
from checkout.store.importing.stock import import_stock
from checkout.store.ledger import How
from checkout.store.verification import verify_stock
from tests.store.importing.files import write_stock
from tests.store.shelves import Shelves


@pytest.fixture
async def shelves(sessions: Sessions) -> Shelves:
    shelves = Shelves(sessions)
    await shelves.build(("main", "north"), ("CUP", "TEA"))
    return shelves


@pytest.mark.parametrize("batch", [1, 500])
async def test_figures_are_set_and_bad_rows_said(
    shelves: Shelves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(importer, "BATCH", batch)
    await shelves.apply(shelves.change("CUP", 5, How.RECEIVE), shelves.change("TEA", 5, How.RECEIVE))
    await shelves.hold("chk_a", "CUP", 3)
    path = write_stock(
        tmp_path / "s.csv",
        ("CUP", "main", "2"),
        ("TEA", "main", "2"),
        ("TEA", "north", "9"),
        ("POT", "main", "1"),
        ("TEA", "west", "1"),
        ("TEA", "main", "x"),
        ("TEA", "main", "7"),
        ("CUP", "north", ""),
    )
    bad: list[str] = []
    report = await import_stock(shelves.sessions, path, on_bad_row=lambda row: bad.append(str(row)))
    assert report.of("stock") == Counts(1, 1, 0)
    assert (report.rows, report.bad_rows) == (8, 6)
    assert bad[0].startswith("line 2, quantity: 3 units are held by checkouts, so on_hand cannot be 2: chk_a (3).")
    assert bad[1:] == [
        "line 5, sku: 'POT' is no SKU of the shop",
        "line 6, warehouse: 'west' is no warehouse (there are: main, north)",
        "line 7, quantity: 'x' is no whole number from 0 on",
        "line 8, sku: the same SKU and warehouse as in line 3",
        "line 9, quantity: '' is no whole number from 0 on",
    ]
    assert [await shelves.stock("CUP"), await shelves.stock("TEA"), await shelves.stock("TEA", "north")] == [
        (5, 3),
        (2, 0),
        (9, 0),
    ]
    assert not (await verify_stock(shelves.sessions)).differences


async def test_repeating_it_changes_nothing(shelves: Shelves, tmp_path: Path) -> None:
    path = write_stock(tmp_path / "s.csv", ("CUP", "main", "2"))
    assert (await import_stock(shelves.sessions, path)).of("stock") == Counts(1, 0, 0)
    assert (await import_stock(shelves.sessions, path)).of("stock") == Counts(0, 0, 1)
    assert await shelves.movements("CUP") == [("received", 2, 0)]


async def test_a_wrong_header_is_refused(shelves: Shelves, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("sku;warehouse;quantity\nCUP;main;2\n")
    with pytest.raises(ImportRefused, match="separated by semicolons"):
        await import_stock(shelves.sessions, path)
