"""How answers of the admin API look in a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from checkout.domain.money import money_text

if TYPE_CHECKING:  # see cli/store.py
    from rich.console import Console
    from rich.table import Table

Document = Mapping[str, Any]

#: Columns of a file, or of a pipe.
WIDE = 250

_COLOURS = {"completed": "green", "failed": "red", "compensating": "yellow", "healthy": "green", "unhealthy": "red"}


def console() -> "Console":
    """Standard output; as wide as it takes where it is no terminal, so that an id is whole for whoever reads it."""
    from rich.console import Console

    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=WIDE)


def table(*columns: str, rows: Iterable[Sequence[object]], title: str | None = None) -> "Table":
    """A table of texts, the first column never cut; none of them is read for markup, whoever wrote it."""
    from rich.table import Table
    from rich.text import Text

    heads = any(columns)
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim", show_header=heads)
    for number, column in enumerate(columns):
        made.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text("" if cell is None else str(cell)) for cell in row))
    return made


def coloured(word: str) -> Any:
    """A state, or how the shop is, in its colour."""
    from rich.text import Text

    return Text(word.replace("_", " "), style=_COLOURS.get(word, ""))


def money(amount: int | None, currency: str | None) -> str:
    """An amount in minor units as people read it; nothing where there is none."""
    return "" if amount is None or currency is None else money_text(amount, currency)


def moment(at: str | None) -> str:
    """A time of the API to the second, in UTC."""
    return "" if at is None else datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def duration(seconds: float | None) -> str:
    """Seconds as people read them: ``40 ms``, ``1.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def percent(share: float | None) -> str:
    """A share from 0 to 1."""
    return "–" if share is None else f"{share * 100:.1f} %"


def checkouts(items: Sequence[Document]) -> "Table":
    """A list of checkouts."""
    return table(
        *("CHECKOUT", "STATE", "CREATED", "TOTAL", "ORDER", "FAILURE, OR WHY IT IS STUCK"),
        rows=[
            (
                one["id"],
                coloured(one["state"]),
                moment(one["created_at"]),
                money(one["total"], one["currency"]),
                one["order_reference"],
                one["stuck_reason"] or one["failure_code"],
            )
            for one in items
        ],
    )
