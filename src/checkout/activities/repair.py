"""What a checkout without its workflow needs, and the little that no compensation does for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway
from checkout.activities.phase import run_phase
from checkout.domain import contract
from checkout.domain.audit import WORKFLOW_TERMINATED, Assessment, Noted, Remedy, Repaired, RepairInput
from checkout.domain.errors import Failure
from checkout.domain.messages import Compensated, CompensationInput
from checkout.domain.times import rfc3339
from checkout.domain.words import Outcome, State
from checkout.payments.port import Gateway, Refused
from checkout.runtime import runs
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.store import gone
from checkout.store.gone import Standing

log = structlog.get_logger(__name__)

#: What the buyer is told.
_DETAIL = "the checkout was stopped before it was done: all that it held is given back"


@asynccontextmanager
async def asking_temporal() -> AsyncIterator[None]:
    """Around questions to Temporal: one that does not answer is asked again, and nothing is decided until it does."""
    try:
        yield
    except RPCError as error:
        raise ApplicationError(f"Temporal does not answer: {error.message}", type="temporal_unavailable") from None


@dataclass(frozen=True)
class Repairing:
    """Decides by the row, and by the gateway where the row cannot know; unlocks; tells."""

    sessions: Sessions
    gateway: Gateway

    @performs(contract.ASSESS_GONE)
    async def assess(self, given: RepairInput) -> Assessment:
        """What the checkout needs now; nothing, where its workflow runs after all.

        The row is read after Temporal has answered: a workflow that has ended in order has closed its row before.
        """
        async with at_gateway():
            async with asking_temporal():
                fate = await runs.fate_of(activity.client(), given.workflow_id, given.run_id, given.checkout_id)
            if fate is None:
                return Assessment(Remedy.NONE)
            standing = await in_direct_transaction(
                self.sessions, lambda session: gone.standing_of(session, given.checkout_id, given.cart_id)
            )
            if standing is None:
                return Assessment(Remedy.NONE, fate)
            if standing.state is not None and standing.state.closed:
                return Assessment(Remedy.UNLOCK if standing.locks else Remedy.NONE, fate, standing.state)
            remedy = Remedy.FINISH if await self._is_paid(standing) else Remedy.UNDO
            return Assessment(remedy, fate, standing.state, standing.phase, _undoing(given, standing))

    @performs(contract.UNLOCK_STRAY)
    async def unlock(self, given: RepairInput) -> Compensated:
        """Unlock the cart that an ended checkout still locks; counts it."""
        unlocked = await run_phase(
            self.sessions, lambda session: gone.unlock_stray(session, given.checkout_id, given.cart_id)
        )
        return Compensated(0, unlocked)

    @performs(contract.NOTE_REPAIR)
    async def note(self, given: Repaired) -> Noted:
        """The one place that tells of a repair: a line in the log."""
        log.warning("checkout_repaired", **asdict(given))
        return Noted()

    async def _is_paid(self, standing: Standing) -> bool:
        """Whether the order's money is ours: by the row, and while it was being captured by the gateway's word."""
        if standing.state is State.COMMITTING:
            return True
        if standing.state is not State.CAPTURING or standing.payment_id is None:
            return False
        try:
            payment = await self.gateway.fetch(standing.payment_id)
        except Refused:
            return False  # what it does not know it has not captured
        return (payment.captured, payment.currency, payment.refunded) == (standing.total, standing.currency, 0)


def _undoing(given: RepairInput, standing: Standing) -> CompensationInput:
    return CompensationInput(
        checkout_id=given.checkout_id,
        cart_id=given.cart_id,
        session_id=standing.session_id,
        customer_id=standing.customer_id,
        workflow_id=standing.workflow_id or given.workflow_id,
        run_id=standing.run_id or given.run_id,
        locked_at=rfc3339(standing.locked_at),
        outcome=Outcome.FAILED,
        failure=Failure(WORKFLOW_TERMINATED, standing.phase, _DETAIL, at=rfc3339(datetime.now(UTC)), benign=False),
    )
