"""Figures for people: rounds as minimum, median and maximum, and ratios of what was measured side by side."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def spread(values: Sequence[float], unit: str = "", digits: int = 1) -> str:
    """``min … median … max`` of the rounds."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} … {middle:.{digits}f} … {high:.{digits}f}{f' {unit}' if unit else ''}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass
class Report:
    """What a run found, printed as it comes and kept for ``--json``."""

    figures: dict[str, Any] = field(default_factory=dict)

    def title(self, text: str) -> None:
        """A heading."""
        self._print(f"\n{text}\n{'-' * len(text)}")

    def line(self, label: str, text: str, **figures: Any) -> None:
        """A row for people, with the bare figures behind it."""
        self._print(f"  {label:<54} {text}")
        self.figures.update(figures)

    def note(self, text: str) -> None:
        """A remark, or progress."""
        self._print(f"  {text}")

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
