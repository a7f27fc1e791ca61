"""What ops read about a checkout in the Temporal UI: current details in Markdown, and search attributes."""

from dataclasses import dataclass
from datetime import datetime

from temporalio import workflow

from checkout.domain.errors import Failure
from checkout.domain.outlook import outlook
from checkout.domain.progress import Progress
from checkout.domain.times import to_the_second
from checkout.domain.words import PAYABLE, State
from checkout.workflows import search

_PAYING = PAYABLE | {State.AUTHORIZING}


@dataclass(frozen=True)
class Journal:
    """Changes that are told to those who watch the workflow."""

    progress: Progress

    def enter(self, state: State) -> None:
        """The checkout stands at another state. Not published: most states last for milliseconds."""
        self.progress.enter(state, workflow.now())
        self._describe()

    def undoing(self, running: list[str], trouble: str | None) -> None:
        """These compensations run now; the trouble is the last failure of one."""
        self.progress.running = list(running)
        self.progress.trouble = trouble
        self._describe()

    def in_trouble(self, trouble: str) -> None:
        """A phase goes on as a regular activity: it may take long, so the lists are to show where it stands."""
        self.progress.trouble = trouble
        self.publish()

    def out_of_trouble(self) -> None:
        """What had failed has succeeded."""
        self.progress.trouble = None
        self._describe()

    def trying(self, until: datetime) -> None:
        """A call of the gateway is tried until then."""
        self.progress.tried_until = until
        self._describe()

    def note(self, note: str) -> None:
        """What ops should know beyond the state."""
        self.progress.notes.append(f"{to_the_second(workflow.now())} {note}")
        self._describe()

    def publish(self) -> None:
        """Brings the search attributes up to date: where it waits for long, and at the end, since each is an event."""
        self._describe()
        changes = search.changes(workflow.info().typed_search_attributes, self.progress)
        if changes:
            workflow.upsert_search_attributes(changes)

    def _describe(self) -> None:
        workflow.set_current_details(current_details(self.progress))


def current_details(progress: Progress) -> str:
    """What happened, what it waits for and until when, what ops can do, the figures, and notes. No personal data."""
    seen = outlook(progress)
    rows = [
        ("Checkout", f"`{progress.checkout.checkout_id}`"),
        ("Total", _total(progress)),
        ("Items", f"`{progress.checkout.items}`" if progress.checkout.items else ""),
        ("Payment attempts left", str(progress.attempts_left) if progress.state in _PAYING else ""),
        ("Order", f"`{progress.order_reference}`" if progress.order_reference else ""),
        ("Last trouble", progress.trouble or ""),
        ("Last error", _failure(progress.last_error)),
        ("Failure", _failure(progress.failure)),
    ]
    parts = [
        f"**{progress.state.label}** since {to_the_second(progress.since)}",
        seen.waits,
        f"**Ops:** {seen.ops}" if seen.ops else "",
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows if value)]),
        "\n".join(f"- {note}" for note in progress.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def _total(progress: Progress) -> str:
    return "" if progress.total is None else f"{progress.total} {progress.currency} (minor units)"


def _failure(failure: Failure | None) -> str:
    return f"`{failure.code}`: {failure.detail}" if failure else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
