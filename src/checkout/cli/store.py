"""What the commands share that work on the shop's database: finding it, progress, and how a refusal ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from checkout.runtime.stack import settings_of_stack

if TYPE_CHECKING:  # the database's packages take half a second to load, which `checkout dev` need not wait for
    from checkout.runtime.database import Sessions
    from checkout.store.importing.report import BadRow, ImportReport, OnProgress

T = TypeVar("T")

UNDEFINED_TABLE = "42P01"


def with_store(work: "Callable[[Sessions], Awaitable[T]]") -> T:
    """Run ``work`` on the database of the settings, or of the ``checkout dev`` that runs.

    What it refuses is one line, and the process ends with 2.
    """
    from sqlalchemy.exc import DBAPIError

    from checkout.domain.checks import InvalidValue
    from checkout.runtime.database import create_engine, create_sessions, sqlstate
    from checkout.store.importing.report import ImportRefused
    from checkout.store.warehouses import UnknownWarehouse

    engine = create_engine(settings_of_stack(), application_name="checkout command")

    async def run() -> T:
        try:
            return await work(create_sessions(engine))
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except (ImportRefused, UnknownWarehouse, InvalidValue) as error:
        refuse(str(error))
    except DBAPIError as error:
        if sqlstate(error) != UNDEFINED_TABLE:
            raise
        refuse("the database has no tables yet: checkout migrate")


def refuse(reason: str, code: int = 2) -> NoReturn:
    """End the command with a reason, in one line, and an exit code: 2 for what the caller got wrong, else 1."""
    typer.secho(f"checkout: {reason}", err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def counted(number: int, noun: str) -> str:
    """So many of them: ``1 row``, ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextlib.contextmanager
def progress(title: str) -> "Iterator[OnProgress]":
    """A progress bar on standard error, by the bytes of the file that are done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task(title, total=None)

    def advance(done: int, size: int) -> None:
        bar.start()  # only now: a file that is refused has made no progress
        bar.update(task, completed=done, total=size)

    try:
        yield advance
    finally:
        if bar.live.is_started:  # stopping one that was not ends a line that nothing began
            bar.stop()


def say_bad_row(bad: "BadRow") -> None:
    """A bad row on standard error, above the progress bar."""
    typer.secho(str(bad), err=True, fg=typer.colors.YELLOW)


def conclude(report: "ImportReport") -> None:
    """The counts of an import; ends the command with 1 when rows were bad."""
    for table, counts in report.counts.items():
        typer.echo(f"{table}: {counts.created} created, {counts.updated} updated, {counts.unchanged} unchanged")
    images = f", {report.image_rows} of them only with an image" if report.image_rows else ""
    typer.echo(f"{counted(report.rows, 'row')}{images}, {report.bad_rows} bad")
    if report.bad_rows:
        raise typer.Exit(1)
