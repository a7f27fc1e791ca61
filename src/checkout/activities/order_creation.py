"""Phase 5, order_creation: make the order from the snapshot; its compensation: cancel it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from checkout.activities.announcing import identity, now
from checkout.activities.errors import performs
from checkout.activities.phase import run_compensation, run_phase
from checkout.domain import contract
from checkout.domain.checks import InvalidValue
from checkout.domain.errors import DefiniteFailure
from checkout.domain.events import OrderPlaced
from checkout.domain.ids import new_order_reference
from checkout.domain.messages import Compensated, CompensationInput, OrderCreated, OrderCreationInput
from checkout.domain.pricing import price_cart
from checkout.domain.words import PaymentStatus, Phase, State
from checkout.listeners.registry import NOBODY, Listeners
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store import orders
from checkout.store.fence import enter, finish
from checkout.store.held import Held
from checkout.store.pricing import PriceRules, load_cart

log = structlog.get_logger(__name__)

PHASE = Phase.ORDER_CREATION


@dataclass(frozen=True)
class OrderCreation:
    """Makes the order of a checkout, and cancels it."""

    sessions: Sessions
    rules: PriceRules
    listeners: Listeners = NOBODY

    @performs(contract.ORDER_CREATION)
    async def create(self, given: OrderCreationInput) -> OrderCreated:
        """Make the order, with the prices that were frozen, whatever they would be now.

        Raises Fenced, DefiniteFailure ``reservation_missing``.
        """
        return await run_phase(self.sessions, lambda session: self._create(session, given))

    @performs(contract.CANCEL_ORDER)
    async def cancel(self, given: CompensationInput) -> Compensated:
        """Cancel the order; it is kept for audit. Raises AlreadyCompleted."""
        return await run_compensation(self.sessions, given, orders.cancel_order)

    async def _create(self, session: Session, given: OrderCreationInput) -> OrderCreated:
        held = await enter(session, given.checkout_id, PHASE)
        if (answer := held.answer(OrderCreated)) is not None:
            return answer
        reference = new_order_reference()
        made = await orders.create_order(session, given.checkout_id, reference)
        if made is None:
            detail = "units that the order needs are not held any more"
            raise DefiniteFailure("reservation_missing", detail, benign=False)
        if made.drifted:
            await self._note_drift(session, held, given.price_drift_tolerance)
        columns: dict[str, Any] = {}
        if given.funds_until is not None:
            columns["expires_at"] = datetime.fromisoformat(given.funds_until)
        placed = OrderPlaced(
            **identity(held),
            at=now(),
            order_reference=reference,
            currency=held.checkout.currency or held.cart.currency,
            total=held.checkout.total or 0,
            awaits_funds=given.funds_until is not None,
        )
        return await finish(
            session,
            held,
            PHASE,
            _next_state(held),
            OrderCreated(
                version=0, order_reference=reference, announcement=self.listeners.announce(placed, held.checkout.wanted)
            ),
            order_reference=reference,
            **columns,
        )

    async def _note_drift(self, session: Session, held: Held, tolerance: int) -> None:
        """Log where today's prices are further than ``tolerance`` (minor units) from the frozen ones, which win."""
        try:
            loaded = await load_cart(session, held.cart.id, self.rules, reserved_for=held.id)
            today = price_cart(loaded.pricing)
        except InvalidValue as error:
            log.warning("price_drift_unknown", checkout_id=held.id, reason=str(error))
            return
        frozen = held.checkout.total or 0
        if abs(today.total - frozen) > tolerance or any(problem.blocking for problem in today.problems):
            log.warning(
                "price_drift",
                checkout_id=held.id,
                currency=held.checkout.currency,
                frozen_total=frozen,
                current_total=today.total,
                problems=[problem.code for problem in today.problems if problem.blocking],
            )


def _next_state(held: Held) -> State:
    if held.checkout.payment_status == PaymentStatus.PENDING:
        return State.AWAITING_FUNDS
    return State.CAPTURING if held.checkout.total else State.COMMITTING
