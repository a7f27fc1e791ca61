"""What ops read about a checkout in the Temporal UI: current details in Markdown, and search attributes."""

from dataclasses import dataclass

from temporalio import workflow

from checkout.domain.errors import Failure
from checkout.domain.progress import Progress
from checkout.domain.times import rfc3339
from checkout.domain.words import AT_GATEWAY, EXTENDABLE, State
from checkout.workflows import search


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

    def note(self, note: str) -> None:
        """What ops should know beyond the state."""
        self.progress.notes.append(f"{rfc3339(workflow.now())} {note}")
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
    """State, since when and until when, the figures, what runs or fails, and notes. No personal data."""
    until = f", until {rfc3339(progress.deadline)}" if progress.state in EXTENDABLE | AT_GATEWAY else ""
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
