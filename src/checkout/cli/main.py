"""The ``checkout`` command: what it offers, and how it ends.

A setting that is wrong or a server that does not answer is one line and an exit code, never a traceback: 2 for what the
caller got wrong, 1 for what failed.
"""

import os
import sys
from typing import NoReturn

import typer

from checkout.cli import catalogue, dev, diagnose, monitor, processes, reconcile, repairs, stock
from checkout.runtime.embedded import ServerFault
from checkout.runtime.settings import SettingsError

app = typer.Typer(
    name="checkout",
    help="Durable Checkout: each checkout is one workflow that completes or gives everything back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(dev.dev)
app.command()(processes.migrate)
app.command()(processes.api)
app.command()(processes.worker)
app.command()(processes.gateway)
app.command()(catalogue.import_products)
app.command()(catalogue.import_stock)
app.command()(catalogue.import_rates)
app.command()(stock.verify)
app.command()(reconcile.reconcile)
app.command()(monitor.monitor)
app.command()(diagnose.diagnose)
app.command("list")(repairs.list_checkouts)
app.command()(repairs.release)
app.command()(repairs.retry)
app.command()(repairs.resolve)
app.add_typer(stock.stock, name="stock")


def main() -> NoReturn:
    """Run the command line and end the process."""
    end(_run())


def _run() -> int:
    try:
        app()
    except SystemExit as asked:
        return asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except SettingsError as error:
        for line in error.lines:
            _say(line)
        return 2
    except ServerFault as fault:
        _say(str(fault))
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = _explain(error)
        if sentence is None:
            raise
        _say(sentence)
        return 1
    return 0


def end(code: int) -> NoReturn:
    """End the process with ``code``, at once where the Temporal SDK was used.

    The SDK's threads may abort or hang an interpreter that shuts down while a call is in flight: exit code 134 or 139
    after a run that was fine. Leaving without that shutdown spares it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if "temporalio.bridge.runtime" in sys.modules:
        os._exit(code)
    sys.exit(code)


def _say(line: str) -> None:
    typer.secho(f"checkout: {line}", err=True, fg=typer.colors.RED)


def _explain(error: Exception) -> str | None:
    """One sentence for a fault of the surroundings; None for a fault of ours, whose traceback is worth having."""
    import psycopg
    from sqlalchemy.exc import DBAPIError

    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.OperationalError):
        lines = [line.strip() for line in str(cause).splitlines()]
        return f"the database does not answer: {'. '.join(line for line in lines if line)}"
    if isinstance(error, RuntimeError) and str(error).startswith("Temporal does not answer"):
        return str(error)
    if "temporalio.service" in sys.modules and isinstance(error, sys.modules["temporalio.service"].RPCError):
        return f"Temporal refuses: {error}"
    return None


if __name__ == "__main__":
    main()
