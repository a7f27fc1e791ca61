"""Listeners for tests: they keep what they hear, and fail as often as they are told to."""

from dataclasses import dataclass, field
from typing import Any

from checkout.domain.events import Event
from checkout.listeners import Delivery, Listener
from tests.workflows.fakes import Act


class Ear:
    """``heard`` has each telling that came, in order; the first ones then end with the given error, or act."""

    def __init__(self, *ends: Exception | Act) -> None:
        self.heard: list[Heard] = []
        self._ends = list(ends)

    async def __call__(self, event: Any, delivery: Delivery) -> None:
        """A telling."""
        self.heard.append(Heard(event, delivery.id, delivery.attempt))
        end = self._ends.pop(0) if self._ends else None
        if isinstance(end, Exception):
            raise end
        if end is not None:
            await end()

    @property
    def events(self) -> list[Event]:
        """What was heard, without how often."""
        return [one.event for one in self.heard]


@dataclass(frozen=True)
class Heard:
    """One telling."""

    event: Event
    delivery_id: str
    attempt: int = field(compare=False, default=1)


def ear(kind: type[Event], hear: Ear | None = None, **how: Any) -> Listener:
    """A listener to one kind of event, called after it."""
    return Listener(**{"name": f"hears_{kind.__name__}", "event": kind, "hear": hear or Ear(), **how})
