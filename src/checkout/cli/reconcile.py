"""``checkout reconcile``: compare the gateway's payments with the shop's, now."""

import asyncio
import json
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from checkout.cli.store import counted, refuse
from checkout.runtime.stack import settings_of_stack

if TYPE_CHECKING:  # see cli/store.py
    from checkout.api.temporal_health import TemporalHealth
    from checkout.domain.reconciliation import Finding, Reconciled
    from checkout.runtime.settings import Settings

#: Seconds that a worker has to be found polling.
WORKER_WAIT = 5.0


def reconcile(
    hours: Annotated[int, typer.Option(help="How many hours back payments are compared", min=1, max=8760)] = 24,
    fix: Annotated[
        bool, typer.Option("--fix", help="Give back what belongs to nothing, write down what went back")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON")] = False,
) -> None:
    """Find money at the payment gateway that no checkout knows, or that one which has ended still holds.

    What a running checkout holds, and what an order is paid by, is never touched. A worker does it, so that it goes on
    when this command is stopped. The exit code is 1 when findings are left.

    Examples: `checkout reconcile --hours 24`, then `checkout reconcile --hours 24 --fix`
    """
    from temporalio.client import WorkflowFailureError

    from checkout.api.problems import Problem

    settings = settings_of_stack()
    try:
        done = asyncio.run(_reconcile(settings, hours, fix=fix))
    except Problem as away:
        refuse(away.detail, code=1)
    except WorkflowFailureError as stopped:
        refuse(f"the reconciliation was stopped: {stopped.cause}", code=1)
    if done is None:
        refuse(
            f"no worker polls the task queue {settings.temporal_task_queue}: start one with `checkout worker`", code=1
        )
    if as_json:
        typer.echo(json.dumps({"hours": hours, **asdict(done)}, indent=2))
    else:
        for finding in done.findings:
            typer.secho(_line(finding), fg=typer.colors.GREEN if finding.fixed else typer.colors.RED)
        typer.echo(f"{counted(done.payments, 'payment')}, {_count(done, fix=fix)}")
    if done.left:
        raise typer.Exit(1)


async def _reconcile(settings: "Settings", hours: int, *, fix: bool) -> "Reconciled | None":
    """What a worker found; None where none polls."""
    from checkout.api.temporal_health import TemporalHealth
    from checkout.domain import contract
    from checkout.domain.reconciliation import Reconciled, ReconciliationInput
    from checkout.runtime.temporal import connect

    client = await connect(settings, identity="checkout-command")
    if not await _polled(TemporalHealth(client, settings.temporal_task_queue)):
        return None
    done: Reconciled = await client.execute_workflow(
        contract.RECONCILIATION_WORKFLOW,
        ReconciliationInput(hours, fix),
        id=f"reconciliation-{secrets.token_hex(8)}",
        task_queue=settings.temporal_task_queue,
        result_type=Reconciled,
        static_summary=f"Reconciliation of {hours} hours" + (", mending" if fix else ""),
    )
    return done


async def _polled(temporal: "TemporalHealth") -> bool:
    end = asyncio.get_running_loop().time() + WORKER_WAIT
    while not await temporal.worker_polling():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.5)
    return True


def _line(finding: "Finding") -> str:
    what = f"payment {finding.payment_id} of {finding.checkout_id or 'no checkout'}: {finding.detail}"
    return f"{what}. {'Mended.' if finding.fixed else f'To do: {finding.remedy}.'}"


def _count(done: "Reconciled", *, fix: bool) -> str:
    fixed = sum(finding.fixed for finding in done.findings)
    if not done.left and not fixed:
        return "all explained"
    return counted(done.left, "finding") + (f" left, {fixed} mended" if fix else "")
