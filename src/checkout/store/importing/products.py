"""Product exports into the catalogue: batches of a few hundred variants, a dozen round trips each.

Without ``strict`` a batch is a transaction of its own, so that stock rows are locked for milliseconds and a file of any
size needs the memory of one batch. With it the whole file is one transaction that a bad row undoes; stock is changed at
its end, so that checkouts wait as short as they can.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.runtime.database import Sessions, in_transaction
from checkout.store.importing import catalogue_rows as rows
from checkout.store.importing.csvfile import CsvFile
from checkout.store.importing.matching import Match, match_batch
from checkout.store.importing.report import (
    BadRow,
    ImportRefused,
    ImportReport,
    OnBadRow,
    OnProgress,
    ignore_bad_row,
    ignore_progress,
)
from checkout.store.importing.shopify import ProductRecord, open_products, read_products
from checkout.store.ledger import How, StockChange, change_stock
from checkout.store.warehouses import find_warehouse

#: Variants in a batch.
BATCH = 500
#: Imports wait for each other at this advisory lock, so that none meets the other's half of a product.
_IMPORT_LOCK = 0x1_0C_4E_C0
QUANTITY = "Variant Inventory Qty"


@dataclass(slots=True)
class _Batch:
    """What one batch came to, to be reported once it is committed."""

    report: ImportReport = field(default_factory=ImportReport)
    bad: list[BadRow] = field(default_factory=list)
    stock: list[tuple[int, StockChange]] = field(default_factory=list)

    def add(self, other: "_Batch") -> None:
        self.report.add(other.report)
        self.bad += other.bad
        self.stock += other.stock


@dataclass(slots=True)
class _Import:
    """One file on its way: where it goes to, and which line had which SKU."""

    file: CsvFile
    currency: str
    warehouse_id: int
    reason: str
    lines_by_sku: dict[str, int] = field(default_factory=dict)


async def import_products(
    sessions: Sessions,
    path: Path,
    *,
    currency: str,
    warehouse: str | None = None,
    strict: bool = False,
    on_bad_row: OnBadRow = ignore_bad_row,
    on_progress: OnProgress = ignore_progress,
) -> ImportReport:
    """Import a product CSV as Shopify exports it; prices in ``currency``, stock into the warehouse of that code.

    Without ``warehouse`` it is the first by priority. Products are known by their handle, variants by their SKU, one
    without by its options, so that repeating an import updates and never duplicates; columns that the file lacks leave
    what is stored, and what the file does not mention stays. ``on_hand`` changes only where the file's figure changed
    since the last import.

    Raises ImportRefused for a file that cannot be read, an unknown warehouse, and with ``strict`` for any bad row:
    nothing was changed then. Raises InvalidValue for an unknown currency.
    """
    if strict:
        whole = partial(import_whole, path=path, currency=currency, warehouse=warehouse)
        return await in_transaction(sessions, partial(whole, on_bad_row=on_bad_row, on_progress=on_progress))
    file = open_products(path)
    found = await in_transaction(sessions, partial(find_warehouse, code=warehouse))
    into = _Import(file, currency, found.id, f"import of {path.name}")
    report = ImportReport()
    for batch in _batches(read_products(file, currency)):
        done = await in_transaction(sessions, partial(_import_batch, into=into, batch=batch))
        report.add(done.report)
        for bad in done.bad:
            on_bad_row(bad)
        on_progress(file.bytes_read, file.size)
    return report


async def import_whole(
    session: AsyncSession,
    path: Path,
    *,
    currency: str,
    warehouse: str | None = None,
    on_bad_row: OnBadRow = ignore_bad_row,
    on_progress: OnProgress = ignore_progress,
) -> ImportReport:
    """``import_products`` with ``strict``, in the caller's transaction.

    Raises ImportRefused, which has to undo that transaction, when a row was bad.
    """
    file = open_products(path)
    found = await find_warehouse(session, warehouse)
    into = _Import(file, currency, found.id, f"import of {path.name}")
    done = _Batch()
    for batch in _batches(read_products(into.file, into.currency)):
        done.add(await _import_catalogue(session, into, batch))
        on_progress(into.file.bytes_read, into.file.size)
    done.stock.sort(key=lambda item: item[1].key)
    for start in range(0, len(done.stock), BATCH):
        await _import_stock(session, into, done, done.stock[start : start + BATCH])
    on_progress(file.size, file.size)
    if done.bad:
        for bad in sorted(done.bad, key=lambda bad: bad.line):
            on_bad_row(bad)
        rows = "1 bad row" if len(done.bad) == 1 else f"{len(done.bad)} bad rows"
        raise ImportRefused(f"{rows} in {into.file.path.name}: nothing was imported (--strict)")
    return done.report


async def _import_batch(session: AsyncSession, into: _Import, batch: list[ProductRecord]) -> _Batch:
    done = await _import_catalogue(session, into, batch)
    await _import_stock(session, into, done, done.stock)
    done.bad.sort(key=lambda bad: bad.line)
    return done


async def _import_catalogue(session: AsyncSession, into: _Import, batch: list[ProductRecord]) -> _Batch:
    """Products, variants and prices of a batch; stock is left to the caller."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _IMPORT_LOCK})
    stored = await rows.load(session, batch)
    match = match_batch(batch, stored, into.lines_by_sku, into.file.columns)
    ids = await rows.save(session, match, into.currency)
    done = _Batch(bad=[*match.bad, *(bad for record in batch for bad in record.bad)])
    done.report.rows = sum(record.rows for record in batch)
    done.report.image_rows = sum(record.image_rows for record in batch)
    done.report.bad_rows = len(done.bad)
    _count(done.report, match, ids.repriced)
    for variant in match.variants:
        if variant.record.quantity is not None:
            change = StockChange(ids.variants[variant.sku], into.warehouse_id, variant.record.quantity, How.IMPORT)
            done.stock.append((variant.record.line, change))
    return done


async def _import_stock(
    session: AsyncSession, into: _Import, done: _Batch, stock: list[tuple[int, StockChange]]
) -> None:
    outcome = await change_stock(session, [change for _, change in stock], reason=into.reason)
    counts = done.report.of("stock")
    counts.created += outcome.created
    counts.updated += outcome.updated
    counts.unchanged += outcome.unchanged
    lines = {change.key: line for line, change in stock}
    for refused in outcome.refused:
        done.bad.append(BadRow(lines[refused.change.key], QUANTITY, refused.reason))
        done.report.bad_rows += 1


def _count(report: ImportReport, match: Match, repriced: frozenset[str]) -> None:
    for product in match.products:
        counts = report.of("products")
        if product.id is None:
            counts.created += 1
        elif product.changed:
            counts.updated += 1
        else:
            counts.unchanged += 1
    for variant in match.variants:
        counts = report.of("variants")
        if variant.id is None:
            counts.created += 1
        elif variant.changed or variant.sku in repriced:
            counts.updated += 1
        else:
            counts.unchanged += 1


def _batches(records: Iterator[ProductRecord]) -> Iterator[list[ProductRecord]]:
    """Records in batches of BATCH variants; a handle that comes again begins a new one, where it is known by then."""
    batch: list[ProductRecord] = []
    handles: set[str] = set()
    size = 0
    for record in records:
        if batch and (size >= BATCH or record.handle in handles):
            yield batch
            batch, handles, size = [], set(), 0
        batch.append(record)
        handles.add(record.handle)
        size += max(1, len(record.variants))
    if batch:
        yield batch
