"""``checkout diagnose``: everything that is known of a checkout, or how the shop is, and what to do."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from checkout.cli import shown
from checkout.cli.remote import AsJson, Url, with_api
from checkout.cli.repairs import quoted


def diagnose(
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[CHECKOUT|CART|ORDER]", help="A checkout's id, a cart's, or an order's reference"),
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong and what to do: with one checkout, or, without an argument, with the whole shop.

    Shows the rows, the workflow, what is pending and what the payment gateway has. Changes nothing. The exit code is 1
    when something is wrong.

    Examples: `checkout diagnose`, `checkout diagnose chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy`,
    `checkout diagnose ORD-7K2M9QXW4T1B`
    """
    path = "/admin/diagnosis" if subject is None else f"/admin/checkouts/{quoted(subject)}/diagnosis"
    found = with_api(url, lambda api: api.get(path))
    well = found["status"] == "healthy" if subject is None else found["well"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        console = shown.console()
        for part in _shop(found) if subject is None else _checkout(found):
            console.print(part)
    if not well:
        raise typer.Exit(1)


def _shop(found: shown.Document) -> Iterator[Any]:
    yield from _wrong(found["reasons"], f"The shop is {found['status']}.")
    if found["stuck"]:
        yield ""
        yield shown.checkouts(found["stuck"])


def _checkout(found: shown.Document) -> Iterator[Any]:
    checkout = found["checkout"]
    yield from _facts(checkout, found["others"])
    timeline = checkout["timeline"]
    yield from _titled("Phases", _phases(timeline["phases"]))
    yield from _titled("Payments: the shop's books, and the gateway's", _payments(timeline["payments"], found))
    yield from _titled("Given back", _compensations(timeline["compensations"]))
    yield from _titled("Stock", _stock(checkout["reservations"]))
    yield from _titled("Pending in Temporal", _pending(checkout["workflow"]["pending_activities"] or ()))
    yield from _titled("What admins did", _actions(checkout["actions"]))
    yield ""
    yield from _wrong(found["findings"], "Nothing is wrong with it." if found["well"] else "What is wrong with it:")


def _wrong(findings: Any, heading: str) -> Iterator[Any]:
    from rich.text import Text

    yield Text(heading, style="bold red" if findings else "bold green")
    for one in findings:
        yield Text.assemble(("\n✗ ", "red"), one["detail"], ("\n  → ", "dim"), one["remedy"])


def _facts(checkout: shown.Document, others: Any) -> Iterator[Any]:
    failure, waiting, workflow = checkout["failure"], checkout["waiting_for"], checkout["workflow"]
    totals, order = checkout["totals"], checkout["order"]
    facts = {
        "Checkout": checkout["id"],
        "State": shown.coloured(checkout["state"]),
        "Cart": checkout["cart_id"],
        "Total": shown.money(totals and totals["total"], checkout["currency"]),
        "Order": f"{order['reference']} ({order['status']})" if order else "",
        "Created": shown.moment(checkout["created_at"]),
        "Changed": shown.moment(checkout["updated_at"]),
        "Deadline": "" if checkout["completed_at"] or checkout["failed_at"] else shown.moment(checkout["expires_at"]),
        "Waits for": f"{waiting['what']} since {shown.moment(waiting['since'])}" if waiting else "",
        "Failure": f"{failure['code']}: {failure['detail']}" if failure else "",
        "Workflow": f"{workflow['workflow_id']} {workflow['run_id']} {workflow['status'] or workflow['note']}",
        "Temporal UI": workflow["temporal_url"] or "",
        "Other attempts": ", ".join(f"{one['id']} ({one['state']})" for one in others),
    }
    yield shown.table("", "", rows=[(name, value) for name, value in facts.items() if value])


def _titled(title: str, part: Any) -> Iterator[Any]:
    """The part under its title; nothing where it has no rows."""
    if part.row_count:
        yield ""
        part.title = title
        yield part


def _phases(phases: Any) -> Any:
    return shown.table(
        *("PHASE", "OUTCOME", "BEGAN", "TOOK", "ATTEMPTS", "LAST ERROR"),
        rows=[
            (
                one["phase"],
                one["outcome"],
                shown.moment(one["began_at"]),
                shown.duration(one["seconds"]),
                one["attempts"],
                one["last_error"],
            )
            for one in phases
        ],
    )


def _payments(payments: Any, found: shown.Document) -> Any:
    theirs = {one["attempt_id"]: one for one in found["gateway"]}
    return shown.table(
        *("ATTEMPT", "METHOD", "STATUS", "AUTHORIZED", "CAPTURED", "REFUNDED", "AT THE GATEWAY"),
        rows=[
            (
                one["id"],
                one["method"],
                f"{one['status']}{': ' + one['code'] if one['code'] else ''}",
                *(shown.money(one[column], one["currency"]) for column in ("authorized", "captured", "refunded")),
                _at_gateway(theirs.get(one["id"])),
            )
            for one in payments
        ],
    )


def _at_gateway(theirs: shown.Document | None) -> str:
    if theirs is None:
        return "nothing there"
    if theirs["answer"] != "known":
        return f"{theirs['payment_id']}: {theirs['note']}"
    amounts = [
        f"{column} {shown.money(theirs[column], theirs['currency'])}"
        for column in ("authorized", "captured", "voided", "refunded")
        if theirs[column]
    ]
    return f"{theirs['payment_id']}: {theirs['status']}" + (f" ({', '.join(amounts)})" if amounts else "")


def _compensations(compensations: Any) -> Any:
    return shown.table(
        *("COMPENSATION", "DONE", "ATTEMPTS", "LAST ERROR"),
        rows=[
            (
                one["compensation"],
                shown.moment(one["done_at"]) or ("refused by the gateway" if one["refused"] else "not yet"),
                one["attempts"],
                one["last_error"],
            )
            for one in compensations
        ],
    )


def _stock(reservations: Any) -> Any:
    return shown.table(
        *("SKU", "WAREHOUSE", "UNITS", "STATUS"),
        rows=[(one["sku"], one["warehouse"], one["quantity"], one["status"]) for one in reservations],
    )


def _pending(pending: Any) -> Any:
    return shown.table(
        *("ACTIVITY", "ATTEMPT", "NEXT", "LAST FAILURE"),
        rows=[
            (
                one["activity"],
                one["attempt"],
                "runs now" if one["running"] else "paused" if one["paused"] else shown.moment(one["next_try_at"]),
                one["last_failure"],
            )
            for one in pending
        ],
    )


def _actions(actions: Any) -> Any:
    return shown.table(
        *("WHEN", "WHO", "ACTION", "OUTCOME", "REASON"),
        rows=[
            (shown.moment(one["at"]), one["who"], one["action"], one["outcome"] or "not known", one["reason"])
            for one in actions
        ],
    )
