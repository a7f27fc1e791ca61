"""Phase 7, stock_commit: the units leave the warehouses and the checkout is completed; its compensation: restock."""

from dataclasses import dataclass

from checkout.activities.errors import phase_activity
from checkout.activities.phase import run_compensation, run_phase
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import Compensated, CompensationInput, PhaseInput, StockCommitted
from checkout.domain.words import Phase, State
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store import orders, reserving
from checkout.store.fence import enter, finish

PHASE = Phase.STOCK_COMMIT


@dataclass(frozen=True)
class StockCommit:
    """Completes a checkout: units, order, cart and the checkout's row in one transaction, so there is no half of it."""

    sessions: Sessions

    @phase_activity(contract.STOCK_COMMIT)
    async def commit(self, given: PhaseInput) -> StockCommitted:
        """Take the units out of stock, mark the order as paid, close the cart.

        Raises Fenced; DefiniteFailure ``not_captured``, ``reservation_missing``, which nothing brings about by itself.
        """
        return await run_phase(self.sessions, lambda session: _commit(session, given))

    @phase_activity(contract.RESTOCK)
    async def restock(self, given: CompensationInput) -> Compensated:
        """Put back units that left the warehouses for a checkout that is not completed. Raises AlreadyCompleted."""
        return await run_compensation(self.sessions, given, reserving.restock)


async def _commit(session: Session, given: PhaseInput) -> StockCommitted:
    held = await enter(session, given.checkout_id, PHASE)
    if (answer := held.answer(StockCommitted)) is not None:
        return answer
    units = await orders.pay_order(session, given.checkout_id)
    if units is None:
        detail = "the order is not paid: its captured amount is not its total"
        raise DefiniteFailure("not_captured", detail, benign=False)
    result = await finish(session, held, PHASE, State.COMPLETED, StockCommitted(version=0, units=units))
    if await reserving.commit(session, given.checkout_id) != units:
        raise DefiniteFailure("reservation_missing", "the units of the order are not held any more", benign=False)
    return result
