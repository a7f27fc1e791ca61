"""The audit: what may have become of a checkout's workflow, what is done about it, and the messages of both workflows.

As in :mod:`checkout.domain.messages`, histories keep these.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from checkout.domain.messages import CompensationInput
from checkout.domain.words import Outcome, Phase, State

#: How many checkouts one run of the audit takes on; its history holds them. More come up in the next run.
LISTED = 200
#: The code of a checkout whose workflow did not end it.
WORKFLOW_TERMINATED = "workflow_terminated"


class Fate(StrEnum):
    """What became of a workflow that does not run any more, though its checkout has not ended."""

    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    #: It ended as if all were well: the database says otherwise, so one of the two is older than the other.
    COMPLETED = "completed"
    CANCELED = "canceled"
    CONTINUED = "continued"
    #: Temporal keeps no such run: deleted, or lost by a backup that was put back.
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """What ops read of a workflow: it *is* …"""
        return _WORDS.get(self.value, self.value)


_WORDS = {"timed_out": "timed out", "unknown": "unknown to Temporal", "continued": "continued by another"}


class Remedy(StrEnum):
    """What is to be done about a checkout that was found without its workflow."""

    #: It runs after all, or has ended: nothing.
    NONE = "none"
    #: It is paid: the order is completed.
    FINISH = "finish"
    #: All that it holds is given back.
    UNDO = "undo"
    #: It has ended and its cart is still locked by it.
    UNLOCK = "unlock"


@dataclass(frozen=True)
class AuditInput:
    """Looks at all open checkouts that are older than ``grace``, in seconds."""

    grace: int = 30


@dataclass(frozen=True)
class GoneCheckout:
    """A checkout without its workflow. ``run_id`` is empty where the checkout has no row, only its cart's lock."""

    checkout_id: str
    cart_id: str
    workflow_id: str
    run_id: str
    fate: Fate


@dataclass(frozen=True)
class Gone:
    """What a look at the open checkouts found: how many there are, and those to be repaired, LISTED at most.

    ``repairing``: how many of those without a workflow are being repaired already. ``lingering``: checkouts that have
    ended long ago and whose workflow still runs.
    """

    open: int
    checkouts: list[GoneCheckout] = field(default_factory=list)
    repairing: int = 0
    lingering: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Audited:
    """What an audit came to; ``begun`` are the repairs that it began."""

    open: int
    begun: list[GoneCheckout] = field(default_factory=list)
    repairing: int = 0
    lingering: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RepairInput:
    """Ends a checkout whose workflow is gone. ``refused_pause`` is in seconds, as in ``Limits``."""

    checkout_id: str
    cart_id: str
    workflow_id: str
    run_id: str
    refused_pause: int = 300


@dataclass(frozen=True)
class Assessment:
    """What a checkout without its workflow needs, by its row and, where it was capturing, by the gateway.

    ``phase`` is the last one that was begun, None where there is no row to tell. ``undoing`` is there with ``finish``
    too, for a finish that is refused.
    """

    remedy: Remedy
    fate: Fate | None = None
    state: State | None = None
    phase: Phase | None = None
    undoing: CompensationInput | None = None


@dataclass(frozen=True)
class Repaired:
    """How a repair ended; ``outcome`` is None where nothing was to be done."""

    checkout_id: str
    remedy: Remedy
    outcome: Outcome | None = None
    fate: Fate | None = None
    state: State | None = None


@dataclass(frozen=True)
class Noted:
    """It is said."""
