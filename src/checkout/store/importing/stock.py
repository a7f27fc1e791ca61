"""Stock figures from a CSV with the columns ``sku``, ``warehouse`` and ``quantity``: what was counted, row by row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.runtime.database import Sessions, in_transaction
from checkout.store.importing import cells
from checkout.store.importing.cells import BadCell
from checkout.store.importing.csvfile import CsvFile, Row
from checkout.store.importing.report import (
    BadRow,
    ImportReport,
    OnBadRow,
    OnProgress,
    ignore_bad_row,
    ignore_progress,
)
from checkout.store.ledger import How, StockChange, change_stock
from checkout.store.warehouses import list_warehouses

BATCH = 500
COLUMNS = ("sku", "warehouse", "quantity")


@dataclass(slots=True)
class StockBatch:
    """What rows of a stock file came to."""

    report: ImportReport = field(default_factory=ImportReport)
    bad: list[BadRow] = field(default_factory=list)


async def import_stock(
    sessions: Sessions,
    path: Path,
    *,
    on_bad_row: OnBadRow = ignore_bad_row,
    on_progress: OnProgress = ignore_progress,
) -> ImportReport:
    """Set on_hand of each row's SKU in its warehouse to its quantity, each with a movement, while checkouts run.

    A row that would lower on_hand below what checkouts hold is refused with these checkouts; unknown SKUs and
    warehouses, figures that are no number of units and rows that repeat another are refused too, and the rest is done.
    Raises ImportRefused for a file that cannot be read.
    """
    file = CsvFile(path, required=COLUMNS)
    report = ImportReport()
    lines: dict[tuple[int, int], int] = {}
    rows = file.rows()
    while batch := list(islice(rows, BATCH)):
        done = await in_transaction(sessions, partial(import_rows, batch=batch, lines=lines, name=path.name))
        report.add(done.report)
        for bad in sorted(done.bad, key=lambda bad: bad.line):
            on_bad_row(bad)
        on_progress(file.bytes_read, file.size)
    return report


async def import_rows(
    session: AsyncSession, batch: Sequence[Row | BadRow], lines: dict[tuple[int, int], int], name: str
) -> StockBatch:
    """Set what these rows say, in the caller's transaction. ``lines`` has the line of each row seen, and learns it."""
    variants = await _variants(session, [row.get("sku") for row in batch if isinstance(row, Row)])
    warehouses = {row.code: row.id for row in await list_warehouses(session)}
    done = StockBatch()
    changes: dict[tuple[int, int], tuple[int, StockChange]] = {}
    for item in _read(batch, variants, warehouses):
        if isinstance(item, BadRow):
            done.bad.append(item)
            continue
        line, change = item
        first = lines.setdefault(change.key, line)
        if first != line:
            done.bad.append(BadRow(line, "sku", f"the same SKU and warehouse as in line {first}"))
            continue
        changes[change.key] = item
    outcome = await change_stock(session, [change for _, change in changes.values()], reason=f"import of {name}")
    done.bad += [BadRow(changes[refused.change.key][0], "quantity", refused.reason) for refused in outcome.refused]
    counts = done.report.of("stock")
    counts.created, counts.updated, counts.unchanged = outcome.created, outcome.updated, outcome.unchanged
    done.report.rows, done.report.bad_rows = len(batch), len(done.bad)
    return done


def _read(
    batch: Sequence[Row | BadRow], variants: Mapping[str, int], warehouses: Mapping[str, int]
) -> Iterator[tuple[int, StockChange] | BadRow]:
    for row in batch:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield row.line, _change(row, variants, warehouses)
        except BadCell as error:
            yield BadRow(row.line, error.column, error.reason)


def _change(row: Row, variants: Mapping[str, int], warehouses: Mapping[str, int]) -> StockChange:
    sku, code = cells.required_name(row, "sku"), cells.required_name(row, "warehouse")
    if sku not in variants:
        raise BadCell("sku", f"{sku[:60]!r} is no SKU of the shop")
    if code not in warehouses:
        known = ", ".join(warehouses) or "none yet"
        raise BadCell("warehouse", f"{code[:60]!r} is no warehouse (there are: {known})")
    return StockChange(variants[sku], warehouses[code], cells.units(row, "quantity"), How.SET)


async def _variants(session: AsyncSession, skus: Sequence[str]) -> dict[str, int]:
    found = await session.execute(
        text("SELECT sku, id FROM variants WHERE sku = ANY(CAST(:skus AS text[]))"), {"skus": list(skus)}
    )
    return {row.sku: row.id for row in found}
