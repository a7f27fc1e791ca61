"""What the gateway refused for good, and people settled by hand: the shop's books say so, and the rest goes on."""

from dataclasses import asdict, dataclass

import structlog

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import note_status
from checkout.activities.phase import run_phase
from checkout.domain import contract
from checkout.domain.messages import ByHandInput, Compensated
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store import payments, steps
from checkout.store.fence import begin_compensation

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ByHand:
    """Takes payments for settled."""

    sessions: Sessions

    @performs(contract.SETTLE_BY_HAND)
    async def settle(self, given: ByHandInput) -> Compensated:
        """Mark every payment of the checkout that is not settled as settled by hand, with what the log says of it.

        The gateway is not asked: what it still holds is what reconciliation finds. Raises AlreadyCompleted.
        """
        result = await run_phase(self.sessions, lambda session: _settle(session, given))
        resolved = asdict(given.resolved)
        log.warning("payment_settled_by_hand", checkout_id=given.checkout_id, payments=result.count, **resolved)
        return result


async def _settle(session: Session, given: ByHandInput) -> Compensated:
    undoing = await begin_compensation(session, given.undoing)
    if undoing.checkout is None:
        return Compensated(undoing.version)
    resolved = given.resolved
    count = await payments.settle_by_hand(
        session, given.checkout_id, compensation=resolved.compensation, who=resolved.who, action_id=resolved.action_id
    )
    await steps.note_done(session, given.checkout_id, given.resolved.compensation, 1)
    attempts = await payments.attempts_of(session, given.checkout_id)
    return Compensated(await note_status(session, undoing, attempts), count)
