"""What an import says: files that are refused, rows that are bad, and counts of what was done."""

from collections.abc import Callable
from dataclasses import dataclass, field


class ImportRefused(Exception):
    """The file as a whole cannot be imported; ``str()`` says why, where and what to do. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not imported: where it begins, the column at fault (empty: the row as a whole) and why."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.column}" if self.column else f"line {self.line}"
        return f"{where}: {self.reason}"


@dataclass(slots=True)
class Counts:
    """How many rows of a table were created, updated or found as the file has them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def add(self, other: "Counts") -> None:
        """Add another batch's counts."""
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged


@dataclass(slots=True)
class ImportReport:
    """What an import did; ``counts`` by table, in the order in which they are shown."""

    counts: dict[str, Counts] = field(default_factory=dict)
    rows: int = 0
    image_rows: int = 0
    bad_rows: int = 0

    def of(self, table: str) -> Counts:
        """The counts of a table, begun at zero."""
        return self.counts.setdefault(table, Counts())

    def add(self, other: "ImportReport") -> None:
        """Add another batch's report."""
        for table, counts in other.counts.items():
            self.of(table).add(counts)
        self.rows += other.rows
        self.image_rows += other.image_rows
        self.bad_rows += other.bad_rows


#: Called with each bad row as it is found, so that none has to be kept.
OnBadRow = Callable[[BadRow], None]
#: Called with the bytes of the file that are done and the file's size.
OnProgress = Callable[[int, int], None]


def ignore_bad_row(_bad: BadRow) -> None:
    """Count only."""


def ignore_progress(_done: int, _size: int) -> None:
    """Show nothing."""
