"""Definite failures: what no retry can mend, said with a code, a sentence and the figures behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Closed is absorbing: the code by which a compensation leaves a completed checkout alone (G5).
CHECKOUT_COMPLETED = "checkout_completed"


class DefiniteFailure(Exception):
    """A phase cannot succeed, however often it is tried.

    ``code`` is stable and for programs, ``detail`` one sentence for people, ``context`` the figures (JSON values, no
    personal data): buyers see them. ``internal`` is for ops alone. ``benign`` says that it is the buyer's doing (a
    declined card, a shortage, an invalid cart), so that ops do not see red for it.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        context: Mapping[str, Any] | None = None,
        *,
        benign: bool = True,
        internal: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.context: dict[str, Any] = dict(context or {})
        self.internal: dict[str, Any] = dict(internal or {})
        self.benign = benign


class Fenced(DefiniteFailure):
    """The checkout is being undone or is closed: this late attempt may do nothing (G5)."""

    def __init__(self, checkout_id: str, state: str) -> None:
        super().__init__(
            "checkout_closed", f"{checkout_id} is {state}: this attempt comes too late", {"state": state}, benign=False
        )


class AlreadyCompleted(DefiniteFailure):
    """The checkout is completed: closed is absorbing, so no compensation may touch it (G5)."""

    def __init__(self, checkout_id: str) -> None:
        super().__init__(CHECKOUT_COMPLETED, f"{checkout_id} is completed: there is nothing to undo", benign=False)


class NotYet(Exception):
    """Something cannot be done now, and is to be tried again; the sentence is ours, and histories may keep it (G7)."""


@dataclass(frozen=True)
class Failure:
    """A failure as it is stored, shown and carried in histories: code, phase, sentence, figures and time (RFC 3339)."""

    code: str
    phase: str | None
    detail: str
    context: dict[str, Any] = field(default_factory=dict)
    at: str = ""
    benign: bool = True
