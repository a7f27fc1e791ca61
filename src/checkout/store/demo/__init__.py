"""The demo shop: about 25 products of the project's own in EUR and USD, two warehouses, taxes, shipping, two coupons.

It comes in by the importers that a real catalogue uses, from the files beside this one; prices are without tax.
"""

import csv
import json
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.tax import built_in_tax_rates
from checkout.runtime.database import Sessions, in_transaction
from checkout.store.importing.csvfile import CsvFile
from checkout.store.importing.products import import_whole
from checkout.store.importing.report import ImportRefused
from checkout.store.importing.stock import COLUMNS, import_rows

#: Seeding processes wait for each other at this advisory lock.
_SEED_LOCK = 0x2_0C_4E_C0

#: Tables whose rows are the lines of the file of that name, column by column; an empty cell is the column's default.
_RULES = ("warehouses", "shipping_options", "coupons", "exchange_rates")


async def seed_demo(sessions: Sessions) -> bool:
    """Fill an empty shop with the demo; whether it did.

    A shop that has a product or a warehouse is left as it is, so that repeating it at every start neither brings back
    what was deleted nor undoes a price. All of it is one transaction: a start that is killed leaves nothing by halves.
    """
    with as_file(files("checkout.store.demo")) as directory:
        return await in_transaction(sessions, partial(_seed, directory=directory))


async def _seed(session: AsyncSession, directory: Path) -> bool:
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SEED_LOCK})
    if await session.scalar(text("SELECT EXISTS (SELECT FROM products) OR EXISTS (SELECT FROM warehouses)")):
        return False
    for table in _RULES:
        await _insert(session, table, _rows(directory / f"{table}.csv"))
    rates = [
        {"country": r.country, "region": r.region, "tax_class": r.tax_class, "percent": str(r.percent), "name": r.name}
        for r in built_in_tax_rates()
    ]
    await _insert(session, "tax_rates", rates)
    await import_whole(session, directory / "products.csv", currency="EUR", warehouse="main")
    await import_whole(session, directory / "prices-usd.csv", currency="USD", warehouse="main")
    north = directory / "stock-north.csv"
    done = await import_rows(session, list(CsvFile(north, required=COLUMNS).rows()), {}, north.name)
    if done.bad:
        raise ImportRefused(f"{north.name}, {done.bad[0]}")
    return True


def _rows(path: Path) -> list[dict[str, str | None]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


async def _insert(session: AsyncSession, table: str, rows: list[dict[str, str | None]]) -> None:
    """Insert rows that have the same columns filled, a statement for each set of them; what is there already stays."""
    by_columns: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        filled = {column: value for column, value in row.items() if value}
        by_columns.setdefault(tuple(filled), []).append(filled)
    for columns, same in by_columns.items():
        names = ", ".join(columns)
        await session.execute(
            text(
                f"INSERT INTO {table} ({names}) SELECT {names} "  # noqa: S608 - names come from this package's own files
                f"FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb)) ON CONFLICT DO NOTHING"
            ),
            {"rows": json.dumps(same)},
        )
