"""``checkout list``, and what operators do about one: ``release``, ``retry``, ``resolve``."""

import json
from typing import Annotated, Any, Literal

import typer

from checkout.cli import shown
from checkout.cli.remote import AdminApi, AsJson, Url, with_api
from checkout.cli.store import refuse

CheckoutId = Annotated[str, typer.Argument(metavar="CHECKOUT")]
Why = Annotated[str, typer.Option(help="Why: it is kept in the log of what admins did")]


def list_checkouts(
    *,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Only those that should have gone on by themselves, and have not")
    ] = False,
    state: Annotated[str | None, typer.Option(help="Only those in this state, such as compensating")] = None,
    phase: Annotated[str | None, typer.Option(help="Only those in this phase, or that failed in it")] = None,
    customer: Annotated[str | None, typer.Option(help="Only those of this customer")] = None,
    since: Annotated[str | None, typer.Option(help="Created from this day or time on (2026-01-31)")] = None,
    until: Annotated[str | None, typer.Option(help="Created before this time, or on this day and before")] = None,
    limit: Annotated[int, typer.Option(help="How many, 1 to 200")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Where the page before ended")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List checkouts, the newest first.

    Examples: `checkout list --stuck`, `checkout list --state failed --phase payment_capture --since 2026-01-31`
    """
    found = with_api(
        url,
        lambda api: api.get(
            "/admin/checkouts",
            stuck="true" if stuck else None,
            state=state,
            phase=phase,
            customer_id=customer,
            date_from=since,
            date_to=until,
            limit=limit,
            cursor=cursor,
        ),
    )
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    if not found["items"]:
        typer.echo("nothing is stuck" if stuck else "no checkouts")
        return
    shown.console().print(shown.checkouts(found["items"]))
    if found["next_cursor"]:
        typer.echo(f"more: --cursor {found['next_cursor']}")


def release(checkout: CheckoutId, reason: Why, url: Url = None, as_json: AsJson = False) -> None:
    """Cancel a checkout and give back all that it holds, also while a bank transfer is awaited.

    Refused once its order is being made: then refund the order. Repeated, the same.

    Example: `checkout release chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy --reason "the buyer called"`
    """
    _act(checkout, "release", {"reason": reason}, url, as_json=as_json)


def retry(checkout: CheckoutId, url: Url = None, as_json: AsJson = False) -> None:
    """Have what is stuck tried at once, after its cause was mended.

    Example: `checkout retry chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy`
    """
    _act(checkout, "retry", None, url, as_json=as_json)


def resolve(
    checkout: CheckoutId,
    compensation: Annotated[
        Literal["void_payment", "refund_payment"], typer.Option(help="What the gateway refuses for good")
    ],
    reason: Why,
    done: Annotated[str, typer.Option(help="What was done by hand; kept, so no personal data")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say that people have done by hand what the payment gateway refuses for good.

    Example: `checkout resolve chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy --compensation refund_payment
    --reason "the card was closed" --done "sent back by bank transfer 4711"`
    """
    body = {"compensation": compensation, "reason": reason, "done": done}
    _act(checkout, "resolve", body, url, as_json=as_json)


def _act(checkout: str, action: str, body: dict[str, Any] | None, url: str | None, *, as_json: bool) -> None:
    async def act(api: AdminApi) -> tuple[int, dict[str, Any]]:
        return await api.post(f"/admin/checkouts/{quoted(checkout)}/{action}", body)

    status, found = with_api(url, act)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    state = found["state_name"].lower()
    if status == 202 or found["state"] == "compensating":
        typer.echo(f"{found['id']}: {state}; it goes on by itself, `checkout diagnose {found['id']}` says how far")
    else:
        typer.echo(f"{found['id']}: {state}")


def quoted(named: str) -> str:
    """An id as one segment of a path; what cannot be one is refused here."""
    from urllib.parse import quote

    if not named.isprintable() or "/" in named or not named.strip("."):
        refuse(f"{named!r} is no id")
    return quote(named, safe="")
