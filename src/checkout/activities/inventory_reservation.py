"""Phase 2, inventory_reservation: hold units for every line; its compensation: give them back."""

from dataclasses import asdict, dataclass

from checkout.activities.errors import performs
from checkout.activities.phase import Raced, run_compensation, run_racing_phase
from checkout.domain import contract
from checkout.domain.allocation import Shortage, allocate
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import Compensated, CompensationInput, PhaseInput, StockReserved
from checkout.domain.shortage import insufficient_stock
from checkout.domain.words import OnShortage, Phase, State
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store import reserving
from checkout.store.fence import enter, finish

PHASE = Phase.INVENTORY_RESERVATION


@dataclass(frozen=True)
class InventoryReservation:
    """Holds units, all lines in one transaction, and releases them."""

    sessions: Sessions

    @performs(contract.INVENTORY_RESERVATION)
    async def reserve(self, given: PhaseInput) -> StockReserved:
        """Hold units for every line: from one warehouse that has all, else from the fewest, by priority.

        The warehouses are chosen from stock that is read without a lock and checked when the units are taken, so that
        nobody waits for a row that many want while somebody else is still reckoning. Raises Fenced, DefiniteFailure
        ``insufficient_stock``, ``address_missing``.
        """
        return await run_racing_phase(self.sessions, lambda session, lock: _reserve(session, given, lock=lock))

    @performs(contract.RELEASE_STOCK)
    async def release(self, given: CompensationInput) -> Compensated:
        """Give back the units that are held. Raises AlreadyCompleted."""
        return await run_compensation(self.sessions, given, reserving.release)


async def _reserve(session: Session, given: PhaseInput, *, lock: bool) -> StockReserved:
    held = await enter(session, given.checkout_id, PHASE)
    if (answer := held.answer(StockReserved)) is not None:
        return answer
    demand = await reserving.read_demand(session, given.cart_id, lock=lock)
    if demand.country is None:
        raise DefiniteFailure("address_missing", "the cart has no shipping address")
    chosen = allocate(demand.lines, demand.stock, demand.country, OnShortage(held.checkout.on_shortage))
    if isinstance(chosen, Shortage):
        raise insufficient_stock(chosen)
    result = StockReserved(
        version=0,
        units=chosen.units,
        warehouses=[warehouse.code for warehouse in chosen.warehouses],
        adjustments=list(chosen.adjustments),
    )
    adjustments = [asdict(adjustment) for adjustment in chosen.adjustments]
    result = await finish(session, held, PHASE, State.LOCKING_PRICES, result, adjustments=adjustments)
    if not await reserving.hold(session, given.checkout_id, chosen.holds):
        raise Raced
    return result
