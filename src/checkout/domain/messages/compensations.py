"""What each compensation takes and gives."""

from dataclasses import dataclass

from checkout.domain.errors import Failure
from checkout.domain.events import Announcement
from checkout.domain.messages.checkout import ResolveRequest
from checkout.domain.words import Outcome


@dataclass(frozen=True)
class CompensationInput:
    """Undoes a phase. Carries what a tombstone needs when no phase has written the checkout's row yet."""

    checkout_id: str
    cart_id: str
    session_id: str
    customer_id: str | None
    workflow_id: str
    run_id: str
    locked_at: str
    outcome: Outcome
    failure: Failure | None = None


@dataclass(frozen=True)
class Compensated:
    """A phase is undone; how many units, orders or payments that concerned."""

    version: int
    count: int = 0
    announcement: Announcement | None = None


@dataclass(frozen=True)
class ByHandInput:
    """Takes a compensation at the gateway for done, because people did it by hand."""

    undoing: CompensationInput
    resolved: ResolveRequest

    @property
    def checkout_id(self) -> str:
        """Whose compensation it is."""
        return self.undoing.checkout_id
