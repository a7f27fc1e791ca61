"""Product imports: what they create, update and leave; stock by the file's changes; bad rows, strict, and races."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.checks import InvalidValue
from checkout.runtime.database import Sessions
from checkout.store.importing import products as importer
from checkout.store.importing.products import import_products
from checkout.store.importing.report import BadRow, Counts, ImportRefused, ImportReport
from checkout.store.ledger import How
from checkout.store.verification import verify_stock
from checkout.store.warehouses import UnknownWarehouse
from tests.store.importing.files import DATA, write_products
from tests.store.shelves import Shelves

GARDEN = DATA / "garden.csv"


@pytest.fixture
async def shelves(sessions: Sessions) -> Shelves:
    shelves = Shelves(sessions)
    await shelves.build(("main", "north"), ())
    return shelves


class Importer:
    """Imports into the main warehouse and keeps what was bad."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.bad: list[str] = []

    async def __call__(self, path: Path, **options: Any) -> ImportReport:
        self.bad = []
        options = {"currency": "EUR", "warehouse": "main", **options}
        return await import_products(self.sessions, path, on_bad_row=lambda bad: self.bad.append(str(bad)), **options)


@pytest.fixture
def run(sessions: Sessions, shelves: Shelves) -> Importer:
    return Importer(sessions)


def vars_of(report: ImportReport) -> tuple[int, int, int]:
    counts = report.of("variants")
    return counts.created, counts.updated, counts.unchanged


async def variants(shelves: Shelves) -> dict[str, tuple[Any, ...]]:
    rows = await shelves.rows(
        "SELECT sku, handle, variants.title, weight_grams, tax_class, products.active, coalesce(amount, -1),"
        " (SELECT sum(on_hand) FROM stock WHERE variant_id = variants.id)"
        " FROM variants JOIN products ON products.id = product_id"
        " LEFT JOIN prices ON variant_id = variants.id AND currency = 'EUR' ORDER BY variants.id"
    )
    return {row[0]: row[1:] for row in rows}


async def test_an_export_comes_in_whole(run: Importer, shelves: Shelves) -> None:
    report = await run(GARDEN)
    assert report.counts == {"products": Counts(5), "variants": Counts(7), "stock": Counts(7)}
    assert (report.rows, report.image_rows, report.bad_rows, run.bad) == (8, 1, 0, [])
    found = await variants(shelves)
    seeds = next(sku for sku in found if sku.startswith("seed-packet"))
    assert found == {
        "herb-pot-small": ("herb-pot", "Small", 250, "standard", True, 999, 12),
        "herb-pot-large": ("herb-pot", "Large", 900, "standard", True, 1599, 3),
        "garden-fork": ("garden-fork", "", 1450, "standard", True, 50000, 8),
        seeds: ("seed-packet", "Rot/Weiß / 2030", 15, "standard", True, 0, 0),
        "GL-M-GR": ("gloves", "M / Green", 80, "zero", True, 1250, 40),
        "GL-L-GR": ("gloves", "L / Green", 90, "zero", True, 1250, 0),
        "RAKE-1": ("old-rake", "", 1000, "standard", False, 2000, 5),
    }
    assert not (await verify_stock(shelves.sessions)).differences


@pytest.mark.parametrize("strict", [False, True])
async def test_repeating_an_import_changes_nothing(run: Importer, shelves: Shelves, strict: bool) -> None:
    await run(GARDEN, strict=strict)
    before = await shelves.rows("SELECT * FROM variants ORDER BY id")
    report = await run(GARDEN, strict=strict)
    assert report.counts == {"products": Counts(0, 0, 5), "variants": Counts(0, 0, 7), "stock": Counts(0, 0, 7)}
    assert await shelves.rows("SELECT * FROM variants ORDER BY id") == before
    assert await shelves.value("SELECT count(*) FROM stock_movements") == 5  # none for the two that have no units


async def test_only_what_changed_is_updated(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    await run(write_products(tmp_path / "p.csv", {}, {"Handle": "tea", "Title": "Tea"}))
    report = await run(write_products(tmp_path / "p.csv", {"Variant Price": "8"}, {"Handle": "tea", "Title": "Tee"}))
    assert report.counts == {"products": Counts(0, 1, 1), "variants": Counts(0, 1, 1), "stock": Counts(0, 0, 2)}
    assert await shelves.rows("SELECT title FROM products ORDER BY id") == [("Cup",), ("Tee",)]
    assert [row[5] for row in (await variants(shelves)).values()] == [800, 999]


async def test_another_currency_adds_prices(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    path = write_products(tmp_path / "p.csv", {})
    await run(path)
    report = await run(write_products(tmp_path / "p.csv", {"Variant Price": "1200"}), currency="JPY")
    assert report.of("variants") == Counts(0, 1, 0)
    assert await shelves.rows("SELECT currency, amount FROM prices ORDER BY 1") == [("EUR", 999), ("JPY", 1200)]


async def test_columns_that_are_not_there_leave_what_is_stored(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    await run(GARDEN)
    before = await variants(shelves)
    path = tmp_path / "prices.csv"
    path.write_text("Handle,Variant SKU,Variant Price\ngloves,GL-M-GR,11\n")
    report = await run(path)
    assert report.counts == {"products": Counts(0, 0, 1), "variants": Counts(0, 1, 0), "stock": Counts()}
    after = await variants(shelves)
    assert after.pop("GL-M-GR") == ("gloves", "M / Green", 80, "zero", True, 1100, 40)
    assert after == {sku: row for sku, row in before.items() if sku != "GL-M-GR"}


async def test_on_hand_changes_only_where_the_files_figure_changed(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    await run(write_products(tmp_path / "p.csv", {}, {"Handle": "tea", "Title": "Tea"}))
    await shelves.execute("UPDATE stock SET on_hand = 3")
    report = await run(
        write_products(tmp_path / "p.csv", {}, {"Handle": "tea", "Title": "Tea", "Variant Inventory Qty": "6"})
    )
    assert report.of("stock") == Counts(0, 1, 1)
    assert await shelves.rows("SELECT on_hand, imported_quantity FROM stock ORDER BY variant_id") == [(3, 5), (6, 6)]


async def test_a_figure_below_what_checkouts_hold_is_a_bad_row_and_the_rest_of_it_is_taken(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    await run(write_products(tmp_path / "p.csv", {}))
    shelves.variants["cup"] = await shelves.value("SELECT id FROM variants")
    await shelves.hold("chk_a", "cup", 4)
    path = write_products(tmp_path / "p.csv", {"Variant Inventory Qty": "3", "Variant Price": "8"})
    report = await run(path)
    assert report.bad_rows == 1
    assert run.bad[0].startswith(
        "line 2, Variant Inventory Qty: 4 units are held by checkouts, so on_hand cannot be 3:"
    )
    assert "chk_a (4)" in run.bad[0]
    assert (await variants(shelves))["cup"][5:] == (800, 5)
    with pytest.raises(ImportRefused, match="1 bad row "):
        await run(write_products(tmp_path / "p.csv", {"Variant Inventory Qty": "2", "Variant Price": "7"}), strict=True)
    assert (await variants(shelves))["cup"][5:] == (800, 5)


async def test_bad_rows_are_said_and_the_rest_is_imported(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    path = write_products(
        tmp_path / "p.csv",
        {"Variant Price": "cheap"},
        {"Title": "", "Option1 Value": "L"},
        {"Handle": "tea", "Title": "", "Option1 Value": "L"},
        {"Handle": "pot", "Title": "Pot", "Published": "perhaps"},
        {"Handle": "pot", "Title": "", "Option1 Value": "L"},
        {"Handle": "", "Title": "Jug"},
        {"Handle": "jug", "Title": "Jug"},
    )
    report = await run(path)
    assert run.bad == [
        "line 2, Variant Price: 'cheap' is no decimal number such as 9.99",
        "line 4, Title: no product 'tea' is known, and no good row of it in the file has a title",
        "line 5, Published: 'perhaps' is none of true, false",
        "line 6, Title: no product 'pot' is known, and no good row of it in the file has a title",
        "line 7, Handle: is empty",
    ]
    assert (report.bad_rows, report.rows) == (5, 7)
    assert list(await variants(shelves)) == ["cup-l", "jug"]
    assert await shelves.value("SELECT count(*) FROM products") == 2


async def test_strict_refuses_the_whole_file_for_one_bad_row(
    run: Importer, shelves: Shelves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 2)
    rows: Sequence[dict[str, str]] = [{"Handle": f"p{n}", "Title": "P"} for n in range(9)]
    path = write_products(tmp_path / "p.csv", *rows, {"Handle": "p9", "Variant Inventory Qty": "many"})
    with pytest.raises(ImportRefused, match=r"1 bad row in p.csv: nothing was imported \(--strict\)"):
        await run(path, strict=True)
    assert run.bad == ["line 11, Variant Inventory Qty: 'many' is no whole number from 0 on"]
    for table in ("products", "variants", "prices", "stock", "stock_movements"):
        assert await shelves.value(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - fixed names


async def test_a_product_may_go_on_in_another_batch_or_further_down(
    run: Importer, shelves: Shelves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 2)
    monkeypatch.setattr("checkout.store.importing.shopify.MAX_VARIANTS", 3)
    sizes = [{"Title": "Cup" if n == 0 else "", "Option1 Value": f"S{n}"} for n in range(7)]
    later = {"Title": "", "Option1 Value": "S9", "Image Src": "/later.jpg"}
    await run(write_products(tmp_path / "p.csv", *sizes, {"Handle": "tea", "Title": "Tea"}, later))
    assert run.bad == []
    assert len(await variants(shelves)) == 9
    assert await shelves.rows("SELECT handle, image_url FROM products ORDER BY id") == [
        ("cup", "/later.jpg"),
        ("tea", None),
    ]


# -- SKUs ------------------------------------------------------------------------------------------------------------


async def test_a_derived_sku_stays_whatever_order_the_rows_come_in(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    first, second = {"Option1 Value": "Dark Blue"}, {"Title": "", "Option1 Value": "dark-blue"}
    await run(write_products(tmp_path / "p.csv", first, second))
    before = await shelves.rows("SELECT id, sku, option1 FROM variants ORDER BY id")
    plain, marked = (row[1] for row in before)
    assert plain == "cup-dark-blue"
    assert marked.startswith("cup-dark-blue-")
    report = await run(write_products(tmp_path / "p.csv", {**second, "Title": "Cup"}, {**first, "Title": ""}))
    assert report.of("variants") == Counts(0, 0, 2)
    assert await shelves.rows("SELECT id, sku, option1 FROM variants ORDER BY id") == before


async def test_a_sku_that_is_given_later_replaces_the_derived_one(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    await run(write_products(tmp_path / "p.csv", {}))
    report = await run(write_products(tmp_path / "p.csv", {"Variant SKU": "CUP-1"}))
    assert report.of("variants") == Counts(0, 1, 0)
    assert list(await variants(shelves)) == ["CUP-1"]
    assert (await run(write_products(tmp_path / "p.csv", {}))).of("variants") == Counts(0, 0, 1)


async def test_options_may_change_under_a_sku(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    rows = [{"Variant SKU": "A", "Option1 Value": "L"}, {"Title": "", "Variant SKU": "B", "Option1 Value": "S"}]
    await run(write_products(tmp_path / "p.csv", *rows))
    swapped = [{**rows[0], "Option1 Value": "S"}, {**rows[1], "Option1 Value": "L"}]
    assert (await run(write_products(tmp_path / "p.csv", *swapped))).of("variants") == Counts(0, 2, 0)
    assert await shelves.rows("SELECT sku, title FROM variants ORDER BY sku") == [("A", "S"), ("B", "L")]


@pytest.mark.parametrize("batch", [1, 500])
async def test_the_same_variant_twice_is_a_bad_row(
    run: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(importer, "BATCH", batch)
    path = write_products(
        tmp_path / "p.csv",
        {},
        {"Title": ""},
        {"Handle": "tea", "Variant SKU": "A"},
        {"Handle": "tea", "Title": "", "Variant SKU": "A", "Option1 Value": "L"},
        {"Title": ""},
    )
    for _ in range(2):
        report = await run(path)
        assert run.bad == [
            "line 3, Option1 Value: the same options as in line 2, and no SKU to tell them apart",
            "line 5, Variant SKU: the same variant as in line 4 (A)",
            "line 6, Option1 Value: the same variant as in line 2 (cup)",
        ]
        assert sum(vars_of(report)) == 2


async def test_a_sku_of_another_product_is_a_bad_row(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    await run(write_products(tmp_path / "p.csv", {"Variant SKU": "A"}))
    await run(write_products(tmp_path / "p.csv", {"Handle": "tea", "Title": "Tea", "Variant SKU": "A"}))
    assert run.bad == ["line 2, Variant SKU: 'A' belongs to the product 'cup'"]
    assert await shelves.rows("SELECT handle FROM products") == [("cup",)]


async def test_what_the_shop_set_by_hand_is_kept_where_the_file_does_not_say(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    await run(write_products(tmp_path / "p.csv", {"Variant Taxable": "true"}))
    await shelves.execute("UPDATE variants SET tax_class = 'reduced', weight_grams = 7")
    await run(write_products(tmp_path / "p.csv", {"Variant Taxable": "true"}))
    assert (await variants(shelves))["cup"][2:4] == (7, "reduced")
    await run(write_products(tmp_path / "p.csv", {"Variant Taxable": "false"}))
    assert (await variants(shelves))["cup"][3] == "zero"
    await run(write_products(tmp_path / "p.csv", {"Variant Taxable": "true"}))
    assert (await variants(shelves))["cup"][3] == "standard"
    await run(write_products(tmp_path / "p.csv", {"Variant Taxable": "true", "Tax Class": "Reduced"}))
    assert (await variants(shelves))["cup"][3] == "reduced"


# -- where it goes, and beside what ----------------------------------------------------------------------------------


async def test_the_warehouse_is_the_one_that_is_named_else_the_first(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    path = write_products(tmp_path / "p.csv", {})
    await run(path, warehouse=None)
    await run(path, warehouse="north")
    assert await shelves.rows("SELECT code, on_hand FROM stock JOIN warehouses ON id = warehouse_id ORDER BY 1") == [
        ("main", 5),
        ("north", 5),
    ]
    with pytest.raises(UnknownWarehouse, match=r"'nroth' is not known \(there are: main, north\)"):
        await run(path, warehouse="nroth")
    with pytest.raises(InvalidValue, match="no ISO 4217 currency"):
        await run(path, currency="EURO")


async def test_imports_and_stock_changes_at_once_neither_deadlock_nor_lose_anything(
    run: Importer, shelves: Shelves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "BATCH", 3)
    names = [f"p{n}" for n in range(12)]
    forward = write_products(tmp_path / "f.csv", *({"Handle": n, "Title": n} for n in names))
    backward = write_products(tmp_path / "b.csv", *({"Handle": n, "Title": n} for n in reversed(names)))
    await run(forward)
    shelves.variants = {row[0]: row[1] for row in await shelves.rows("SELECT sku, id FROM variants")}

    async def receive() -> None:
        for _ in range(10):
            await shelves.apply(*(shelves.change(name, 1, How.RECEIVE) for name in names))

    await asyncio.gather(run(forward), run(backward, strict=True), receive(), receive(), run(backward))
    assert {row[-1] for row in (await variants(shelves)).values()} == {25}
    assert not (await verify_stock(shelves.sessions)).differences


async def test_of_two_imports_of_the_same_new_products_one_creates_them(
    run: Importer, shelves: Shelves, tmp_path: Path
) -> None:
    path = write_products(tmp_path / "p.csv", *({"Handle": f"p{n}", "Title": "P"} for n in range(50)))
    for strict in (False, True):
        reports = await asyncio.gather(*(run(path, strict=strict) for _ in range(4)))
        assert sum(report.of("variants").created for report in reports) == (0 if strict else 50)
    assert await shelves.value("SELECT sum(on_hand) FROM stock") == 250


async def test_a_batch_takes_the_same_round_trips_for_any_number_of_rows(
    engine: AsyncEngine, run: Importer, tmp_path: Path
) -> None:
    async def statements(products: int) -> int:
        counted: list[str] = []

        def count(*arguments: Any) -> None:
            counted.append(arguments[2])

        event.listen(engine.sync_engine, "before_cursor_execute", count)
        rows = ({"Handle": f"p{products}-{n}", "Title": "P"} for n in range(products))
        await run(write_products(tmp_path / "p.csv", *rows))
        event.remove(engine.sync_engine, "before_cursor_execute", count)
        return len(counted)

    assert await statements(2) == await statements(400) <= 12


async def test_the_progress_ends_at_the_files_end(sessions: Sessions, shelves: Shelves) -> None:
    seen: list[tuple[int, int]] = []
    await import_products(sessions, GARDEN, currency="EUR", on_progress=lambda *done: seen.append(done))
    assert seen[-1] == (GARDEN.stat().st_size,) * 2


async def test_text_of_any_kind_is_stored_as_it_is(run: Importer, shelves: Shelves, tmp_path: Path) -> None:
    title = "O'Brien; DROP TABLE products; -- \\ %s :name {} 😀"
    await run(write_products(tmp_path / "p.csv", {"Title": title, "Variant SKU": "A'/%s:x", "Vendor": "\\N"}))
    async with shelves.sessions() as session:
        row = (await session.execute(text("SELECT p.title, vendor, sku FROM products p, variants"))).one()
    assert tuple(row) == (title, "\\N", "A'/%s:x")


def test_a_bad_row_names_line_and_column() -> None:
    assert str(BadRow(3, "", "no CSV")) == "line 3: no CSV"
