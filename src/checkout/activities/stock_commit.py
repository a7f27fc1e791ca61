"""Phase 7, stock_commit: the units leave the warehouses and the checkout is completed; its compensation: restock."""

from dataclasses import dataclass

from checkout.activities.announcing import identity, now
from checkout.activities.errors import performs
from checkout.activities.phase import run_compensation, run_phase
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure
from checkout.domain.events import CheckoutCompleted
from checkout.domain.messages import Compensated, CompensationInput, PhaseInput, StockCommitted
from checkout.domain.words import Phase, State
from checkout.listeners.registry import NOBODY, Listeners
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store import orders, reserving
from checkout.store.fence import enter, finish

PHASE = Phase.STOCK_COMMIT


@dataclass(frozen=True)
class StockCommit:
    """Completes a checkout: units, order, cart and the checkout's row in one transaction, so there is no half of it."""

    sessions: Sessions
    listeners: Listeners = NOBODY

    @performs(contract.STOCK_COMMIT)
    async def commit(self, given: PhaseInput) -> StockCommitted:
        """Take the units out of stock, mark the order as paid, close the cart.

        Raises Fenced; DefiniteFailure ``not_captured``, ``reservation_missing``, which nothing brings about by itself.
        """
        return await run_phase(self.sessions, lambda session: self._commit(session, given))

    @performs(contract.RESTOCK)
    async def restock(self, given: CompensationInput) -> Compensated:
        """Put back units that left the warehouses for a checkout that is not completed. Raises AlreadyCompleted."""
        return await run_compensation(self.sessions, given, reserving.restock)

    async def _commit(self, session: Session, given: PhaseInput) -> StockCommitted:
        held = await enter(session, given.checkout_id, PHASE)
        if (answer := held.answer(StockCommitted)) is not None:
            return answer
        paid = await orders.pay_order(session, given.checkout_id)
        if paid is None:
            detail = "the order is not paid: its captured amount is not its total"
            raise DefiniteFailure("not_captured", detail, benign=False)
        completed = CheckoutCompleted(
            **identity(held),
            at=now(),
            order_reference=paid.reference,
            currency=held.checkout.currency or held.cart.currency,
            total=held.checkout.total or 0,
        )
        done = StockCommitted(
            version=0, units=paid.units, announcement=self.listeners.announce(completed, held.checkout.wanted)
        )
        result = await finish(session, held, PHASE, State.COMPLETED, done)
        if await reserving.commit(session, given.checkout_id) != paid.units:
            raise DefiniteFailure("reservation_missing", "the units of the order are not held any more", benign=False)
        return result
