"""What ops read about a checkout in the Temporal UI: the current details, in Markdown."""

from checkout.domain.errors import Failure
from checkout.domain.progress import Progress, rfc3339
from checkout.domain.words import EXTENDABLE


def current_details(progress: Progress) -> str:
    """State, since when and until when, the figures, what runs or fails, and notes. No personal data."""
    until = f", until {rfc3339(progress.deadline)}" if progress.state in EXTENDABLE else ""
    rows = [
        ("Checkout", f"`{progress.checkout.checkout_id}`"),
        ("Total", _total(progress)),
        ("Payment attempts left", str(progress.attempts_left)),
        ("Order", f"`{progress.order_reference}`" if progress.order_reference else ""),
        ("Running", ", ".join(f"`{name}`" for name in progress.running)),
        ("Last trouble", progress.trouble or ""),
        ("Last error", _failure(progress.last_error)),
        ("Failure", _failure(progress.failure)),
    ]
    table = "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows if value)
    notes = "\n".join(f"- {note}" for note in progress.notes)
    heading = f"**{progress.state.label}** since {rfc3339(progress.since)}{until}"
    return f"{heading}\n\n| | |\n|---|---|\n{table}" + (f"\n\n{notes}" if notes else "")


def _total(progress: Progress) -> str:
    return "" if progress.total is None else f"{progress.total} {progress.currency} (minor units)"


def _failure(failure: Failure | None) -> str:
    return f"`{failure.code}`: {failure.detail}" if failure else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
