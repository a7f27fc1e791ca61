"""Imports into the catalogue: product exports, stock figures, exchange rates."""

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checkout.cli.store import conclude, progress, say_bad_row, with_store

if TYPE_CHECKING:  # see cli/store.py
    from checkout.runtime.database import Sessions
    from checkout.store.importing.report import ImportReport

CsvFile = Annotated[
    Path, typer.Argument(metavar="FILE.csv", help="A CSV file in UTF-8, separated by commas; `-`: standard input")
]
#: What stands for standard input.
PIPE = Path("-")


@contextlib.contextmanager
def _file(given: Path) -> Iterator[Path]:
    """The file to import: of standard input a copy, since an import reads its file more than once."""
    if given != PIPE:
        yield given
        return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "standard input")
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield copy


def import_products(
    file: CsvFile,
    currency: Annotated[str, typer.Option(help="Currency of the prices in the file (ISO 4217)")] = "EUR",
    warehouse: Annotated[
        str | None, typer.Option(help="Warehouse of the file's stock; without it the first by priority")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Import nothing when one row is bad")] = False,
) -> None:
    """Import products from the CSV that Shopify exports; repeating it updates and never duplicates.

    Stock changes only where the file's figure changed since its last import. A bad row is said with its line and
    column and the rest is imported; the exit code is 1 then.

    Examples: `checkout import-products products_export.csv --currency EUR --warehouse main`, or, into containers,
    `docker compose exec -T api checkout import-products - < products_export.csv`
    """
    from checkout.store.importing import products

    async def run(sessions: "Sessions") -> "ImportReport":
        with _file(file) as source, progress(source.name) as advance:
            return await products.import_products(
                sessions,
                source,
                currency=currency.upper(),
                warehouse=warehouse,
                strict=strict,
                on_bad_row=say_bad_row,
                on_progress=advance,
            )

    conclude(with_store(run))


def import_stock(file: CsvFile) -> None:
    """Set stock to what was counted, from a CSV with the columns sku, warehouse and quantity.

    Safe while checkouts run: a figure below what they hold is refused, with the checkouts.

    Example: `checkout import-stock counted.csv`
    """
    from checkout.store.importing import stock

    async def run(sessions: "Sessions") -> "ImportReport":
        with _file(file) as source, progress(source.name) as advance:
            return await stock.import_stock(sessions, source, on_bad_row=say_bad_row, on_progress=advance)

    conclude(with_store(run))


def import_rates(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.xml", help="The ECB's eurofxref-daily.xml; `-`: standard input")
    ],
) -> None:
    """Import exchange rates from the daily XML of the European Central Bank.

    Example: `checkout import-rates eurofxref-daily.xml`, from
    https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml
    """
    from checkout.store.importing import rates

    with _file(file) as source:
        done = with_store(lambda sessions: rates.import_rates(sessions, source))
    counts = done.counts
    typer.echo(
        f"rates of {done.day}: {counts.created} created, {counts.updated} updated, {counts.unchanged} unchanged"
        + (f"; not in use any more: {', '.join(done.unknown)}" if done.unknown else "")
    )
