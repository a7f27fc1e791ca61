"""``checkout monitor``: the shop's figures, live."""

import asyncio
import contextlib
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from checkout.cli import shown
from checkout.cli.remote import AdminApi, AsJson, Refused, Url, with_api

#: Stuck checkouts that find room on a screen.
STUCK = 8


def monitor(
    hours: Annotated[int, typer.Option(help="What ended within so many hours, 1 to 168")] = 24,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end; so it is where nobody watches")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks", min=0.5, max=3600)] = 2,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Watch the shop: what runs by state, success, durations, failures by phase, what is wrong. Ctrl-C ends it.

    With `--json` each look is one line.

    Examples: `checkout monitor`, `checkout monitor --hours 1 --once --json`
    """
    live = sys.stdout.isatty() and not as_json
    once = once or not (live or as_json)

    async def watch(api: AdminApi) -> None:
        if once:
            _show(await _look(api, hours), as_json=as_json)
        elif as_json:
            while True:
                _show(await _look(api, hours), as_json=True)
                await asyncio.sleep(every)
        else:
            await _live(api, hours, every)

    with contextlib.suppress(KeyboardInterrupt):
        with_api(url, watch)


async def _look(api: AdminApi, hours: int) -> dict[str, Any]:
    """One look: the statistics, null while the database is away, and what is wrong."""
    statistics, diagnosis = await asyncio.gather(_statistics(api, hours), api.get("/admin/diagnosis"))
    return {"at": datetime.now(UTC).isoformat(), "statistics": statistics, "diagnosis": diagnosis}


async def _statistics(api: AdminApi, hours: int) -> dict[str, Any] | None:
    try:
        return await api.get("/admin/statistics", hours=hours)
    except Refused as refused:
        if refused.status == 503:
            return None  # the diagnosis says why
        raise


def _show(look: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(look))
    else:
        shown.console().print(screen(look))


async def _live(api: AdminApi, hours: int, every: float) -> None:
    """Again and again; an API that is away is waited for, with the last figures on the screen."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    look = await _look(api, hours)  # what is wrong with address or token ends the command at once
    with Live(screen(look), auto_refresh=False, screen=True) as live:
        while True:
            live.refresh()
            await asyncio.sleep(every)
            try:
                look = await _look(api, hours)
                live.update(screen(look))
            except Refused as refused:
                live.update(Group(Text(f"{refused}\n", style="bold red"), screen(look)))


def screen(look: dict[str, Any]) -> Any:
    """All of it as a terminal shows it."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    figures, diagnosis = look["statistics"], look["diagnosis"]
    parts: list[Any] = [
        Text.assemble("Durable Checkout is ", shown.coloured(diagnosis["status"]), f"  {shown.moment(look['at'])}"),
        *(Text.assemble(("✗ ", "red"), one["detail"], ("  → ", "dim"), one["remedy"]) for one in diagnosis["reasons"]),
        "",
    ]
    if figures is not None:
        three = [_active(figures), _ended(figures), _failures(figures)]
        parts.append(Columns([Padding(part, (0, 4, 1, 0)) for part in three]))
    if diagnosis["stuck"]:
        parts += [Text(f"Stuck, the newest of them ({STUCK} at most)"), shown.checkouts(diagnosis["stuck"][:STUCK])]
    return Group(*parts)


def _active(figures: dict[str, Any]) -> Any:
    rows = [(state.replace("_", " "), count) for state, count in figures["active_by_state"].items()]
    return shown.table("Active now", str(figures["active"]), rows=rows)


def _ended(figures: dict[str, Any]) -> Any:
    duration = figures["duration"]
    return shown.table(
        f"Ended within {figures['hours']} h",
        "",
        rows=[
            *((name, figures[name]) for name in ("completed", "failed", "refused", "expired", "cancelled")),
            ("success rate", shown.percent(figures["success_rate"])),
            ("average to completion", shown.duration(duration["average"])),
            ("95 of 100 within", shown.duration(duration["p95"])),
            ("rate-limit hits", figures["rate_limit_hits"]),
            ("cache hit rate", shown.percent(figures["cache_hit_rate"])),
        ],
    )


def _failures(figures: dict[str, Any]) -> Any:
    return shown.table("Failures by phase", str(figures["failed"]), rows=figures["failures_by_phase"].items())
