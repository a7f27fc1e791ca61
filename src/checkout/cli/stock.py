"""Stock by hand, and the check that all records of it agree."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from checkout.cli.store import counted, refuse, with_store

if TYPE_CHECKING:  # see cli/store.py
    from checkout.runtime.database import Sessions
    from checkout.store.stock import StockLine
    from checkout.store.warehouses import WarehouseRow

stock = typer.Typer(help="Stock by hand; safe while checkouts run.", no_args_is_help=True)

Sku = Annotated[str, typer.Argument(metavar="SKU")]
InWarehouse = Annotated[str | None, typer.Option(help="Code of the warehouse; without it the first by priority")]
Reason = Annotated[str, typer.Option(help="What the ledger says beside the movement")]


@stock.command("set")
def set_stock(
    sku: Sku,
    quantity: Annotated[int, typer.Argument(metavar="QTY", min=0)],
    warehouse: InWarehouse = None,
    reason: Reason = "counted",
) -> None:
    """Say how many units were counted, those that checkouts hold included.

    Below what checkouts hold it is refused, with the checkouts.

    Example: `checkout stock set TEA-GREEN 40 --warehouse main`
    """
    _change(sku, quantity, "set", warehouse, reason)


@stock.command()
def receive(
    sku: Sku,
    quantity: Annotated[int, typer.Argument(metavar="QTY", min=1)],
    warehouse: InWarehouse = None,
    reason: Reason = "received",
) -> None:
    """Add units that arrived.

    Example: `checkout stock receive TEA-GREEN 100 --warehouse main --reason "delivery 4711"`
    """
    _change(sku, quantity, "receive", warehouse, reason)


@stock.command()
def show(sku: Sku) -> None:
    """Show what each warehouse has of a SKU.

    Example: `checkout stock show TEA-GREEN`
    """
    _show(sku, _stock_of(sku))


@stock.command()
def warehouses() -> None:
    """List the warehouses, in the order in which they serve."""
    from checkout.runtime.database import in_transaction
    from checkout.store.warehouses import list_warehouses

    rows = with_store(lambda sessions: in_transaction(sessions, list_warehouses))
    _table(
        ("code", "name", "priority", "countries", "active"),
        *(
            (row.code, row.name, row.priority, ", ".join(row.countries) or "all", "yes" if row.active else "no")
            for row in rows
        ),
    )


@stock.command("add-warehouse")
def make_warehouse(
    code: Annotated[str, typer.Argument(metavar="CODE")],
    name: Annotated[str | None, typer.Option(help="Its name; of a new one, without it, the code")] = None,
    priority: Annotated[int | None, typer.Option(help="The lowest comes first; of a new one, without it, 100")] = None,
    country: Annotated[
        list[str] | None,
        typer.Option(help="A country that it serves (ISO 3166, repeatable), or `all`; a new one, without any, all"),
    ] = None,
) -> None:
    """Make a warehouse, or change of the one of that code what is given.

    Example: `checkout stock add-warehouse north --priority 2 --country SE --country NO`
    """
    from checkout.domain.countries import country_name
    from checkout.runtime.database import in_transaction
    from checkout.store.warehouses import add_warehouse

    given = [each.upper() for each in country or ()]
    countries = None if not given else () if given == ["ALL"] else tuple(given)

    async def make(sessions: "Sessions") -> "WarehouseRow":
        for each in countries or ():
            country_name(each)
        return await in_transaction(
            sessions, partial(add_warehouse, code=code, name=name, priority=priority, countries=countries)
        )

    row = with_store(make)
    typer.echo(f"{row.code}: priority {row.priority}, serves {', '.join(row.countries) or 'all countries'}")


def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Set what is reserved to what checkouts hold, where it differs")
    ] = False,
) -> None:
    """Recompute all stock from the ledger and the reservations, and say each difference and what to do.

    The exit code is 1 when something differs.

    Example: `checkout verify`
    """
    from checkout.store.verification import repair_stock, verify_stock

    if repair:
        repaired = with_store(repair_stock)
        typer.echo(
            f"repaired {counted(repaired.rows, 'stock row')}, "
            f"ended {counted(repaired.reservations, 'reservation')} of closed checkouts"
        )
    found = with_store(verify_stock)
    for difference in found.differences:
        typer.secho(str(difference), fg=typer.colors.RED)
    typer.echo(
        f"{counted(found.rows, 'stock row')}, {counted(found.movements, 'movement')}, "
        f"{counted(found.held, 'reservation')}: "
        + (counted(len(found.differences), "difference") if found.differences else "all agree")
    )
    if found.differences:
        raise typer.Exit(1)


def _change(sku: str, quantity: int, how: Literal["set", "receive"], warehouse: str | None, reason: str) -> None:
    from checkout.runtime.database import in_transaction
    from checkout.store.ledger import How, Refused
    from checkout.store.stock import change_stock_of

    change = partial(change_stock_of, sku=sku, quantity=quantity, how=How(how), warehouse=warehouse, reason=reason)
    outcome = with_store(lambda sessions: in_transaction(sessions, change))
    if isinstance(outcome, Refused):
        refuse(f"{sku}: {outcome.reason}", code=1)
    _show(sku, _stock_of(sku))


def _stock_of(sku: str) -> "list[StockLine]":
    from checkout.runtime.database import in_transaction
    from checkout.store.stock import stock_of

    return with_store(lambda sessions: in_transaction(sessions, partial(stock_of, sku=sku)))


def _show(sku: str, lines: "list[StockLine]") -> None:
    typer.echo(f"{sku}:")
    _table(
        ("warehouse", "on hand", "reserved", "available"),
        *((line.warehouse, line.on_hand, line.reserved, line.available) for line in lines),
    )


def _table(*rows: Sequence[Any]) -> None:
    """Columns as wide as their widest cell, plain enough for grep."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
