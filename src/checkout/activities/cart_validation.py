"""Phase 1, cart_validation: record the checkout, lock the cart; its compensation: unlock it, close the checkout."""

from dataclasses import dataclass

from checkout.activities.announcing import announce_failure, identity, now
from checkout.activities.errors import performs
from checkout.activities.phase import run_phase
from checkout.domain import contract
from checkout.domain.allocation import Shortage, allocate
from checkout.domain.errors import DefiniteFailure
from checkout.domain.events import CheckoutStarted
from checkout.domain.messages import CartValidated, CartValidationInput, Compensated, CompensationInput
from checkout.domain.shortage import insufficient_stock
from checkout.domain.words import OnShortage, Phase, State
from checkout.listeners.registry import NOBODY, Listeners
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store.closing import close_undone, hold_cart
from checkout.store.fence import begin, begin_compensation, finish
from checkout.store.held import Held
from checkout.store.reserving import CartDemand, read_demand

PHASE = Phase.CART_VALIDATION


@dataclass(frozen=True)
class CartValidation:
    """Locks the cart for the checkout when it can be sold as it is, and unlocks it again."""

    sessions: Sessions
    listeners: Listeners = NOBODY

    @performs(contract.CART_VALIDATION)
    async def validate(self, given: CartValidationInput) -> CartValidated:
        """Record the checkout and lock its cart.

        Stock is looked at, not held: most shortages are told here, before anything is locked. Raises Fenced,
        DefiniteFailure ``cart_not_found``, ``cart_ordered``, ``checkout_closing``, ``empty_cart``, ``email_missing``,
        ``address_missing``, ``sku_unavailable``, ``insufficient_stock``.
        """
        return await run_phase(self.sessions, lambda session: self._validate(session, given))

    @performs(contract.UNLOCK_CART)
    async def unlock(self, given: CompensationInput) -> Compensated:
        """Unlock the cart and close the checkout, in one transaction and last of all.

        Whoever closed first and died before the rest was given back would leave it held for ever: nothing looks at a
        closed checkout again. Raises AlreadyCompleted, NotYetUndone.
        """
        return await run_phase(self.sessions, lambda session: self._unlock(session, given))

    async def _validate(self, session: Session, given: CartValidationInput) -> CartValidated:
        held = await begin(session, given)
        if (answer := held.answer(CartValidated)) is not None:
            return answer
        demand = await read_demand(session, given.cart_id)
        _check(held, demand, given.on_shortage)
        units = sum(line.quantity for line in demand.lines)
        started = CheckoutStarted(
            **identity(held),
            at=now(),
            currency=held.cart.currency,
            lines=len(demand.lines),
            units=units,
            expires_at=given.expires_at,
        )
        result = CartValidated(
            version=0,
            currency=held.cart.currency,
            lines=len(demand.lines),
            units=units,
            announcement=self.listeners.announce(started, held.checkout.wanted),
        )
        return await finish(session, held, PHASE, State.RESERVING, result, hold_cart(held))

    async def _unlock(self, session: Session, given: CompensationInput) -> Compensated:
        undoing = await begin_compensation(session, given)
        version, unlocked = undoing.version, 0
        if undoing.checkout is not None:
            version, unlocked = await close_undone(session, given)
        # Also where it is closed already: whoever closed it may have died before he said so.
        return Compensated(version, unlocked, await announce_failure(session, self.listeners, given.checkout_id))


def _check(held: Held, demand: CartDemand, on_shortage: OnShortage) -> None:
    if not demand.lines:
        raise DefiniteFailure("empty_cart", "the cart is empty")
    if not held.cart.email:
        raise DefiniteFailure("email_missing", "the cart has no e-mail address for the confirmation")
    if demand.country is None:
        raise DefiniteFailure("address_missing", "the cart has no shipping address")
    if demand.inactive:
        detail = f"not sold any more: {', '.join(demand.inactive)}"
        raise DefiniteFailure("sku_unavailable", detail, {"skus": list(demand.inactive)})
    proposal = allocate(demand.lines, demand.stock, demand.country, on_shortage)
    if isinstance(proposal, Shortage):
        raise insufficient_stock(proposal)
