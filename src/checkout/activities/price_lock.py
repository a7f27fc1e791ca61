"""Phase 3, price_lock: freeze the prices and count the redemptions; its compensation: discard them, give those back."""

from dataclasses import dataclass

from checkout.activities.errors import performs
from checkout.activities.phase import Raced, run_compensation, run_racing_phase
from checkout.domain import contract
from checkout.domain.errors import DefiniteFailure
from checkout.domain.messages import Compensated, CompensationInput, PriceLockInput, PricesLocked
from checkout.domain.money import format_amount
from checkout.domain.pricing import Pricing, price_cart
from checkout.domain.words import Phase, State
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store import snapshots
from checkout.store.fence import enter, finish
from checkout.store.held import Held
from checkout.store.price_changes import changes_since_shown
from checkout.store.pricing import LoadedCart, PriceRules, load_cart, reckoning

PHASE = Phase.PRICE_LOCK


@dataclass(frozen=True)
class PriceLock:
    """Freezes every figure of the checkout from the shop's own tables; nothing is trusted from the cart's view."""

    sessions: Sessions
    rules: PriceRules

    @performs(contract.PRICE_LOCK)
    async def lock(self, given: PriceLockInput) -> PricesLocked:
        """Freeze the prices of what is reserved.

        A total of zero needs no payment: the checkout goes on to its order. Raises Fenced, DefiniteFailure
        ``price_missing``, ``no_shipping``, the codes of coupons, ``total_mismatch``, ``pricing_impossible``.
        """
        return await run_racing_phase(self.sessions, lambda session, _: self._lock(session, given))

    @performs(contract.DISCARD_PRICES)
    async def discard(self, given: CompensationInput) -> Compensated:
        """Mark the snapshot as discarded and give redemptions back. Raises AlreadyCompleted."""
        return await run_compensation(self.sessions, given, snapshots.discard)

    async def _lock(self, session: Session, given: PriceLockInput) -> PricesLocked:
        held = await enter(session, given.checkout_id, PHASE)
        if (answer := held.answer(PricesLocked)) is not None:
            return answer
        with reckoning():
            loaded = await load_cart(session, given.cart_id, self.rules, reserved_for=given.checkout_id)
            pricing = price_cart(loaded.pricing).require_sound()
        if given.expected_total is not None and given.expected_total != pricing.total:
            raise await _mismatch(session, given.expected_total, held, loaded, pricing)
        result = await finish(
            session,
            held,
            PHASE,
            State.AWAITING_PAYMENT if pricing.total else State.CREATING_ORDER,
            PricesLocked(version=0, currency=pricing.currency, total=pricing.total),
            currency=pricing.currency,
            total=pricing.total,
        )
        await snapshots.freeze(session, given.checkout_id, loaded, pricing)
        if not await snapshots.redeem(session, given.checkout_id, loaded, pricing):
            raise Raced
        return result


async def _mismatch(
    session: Session, expected: int, held: Held, loaded: LoadedCart, pricing: Pricing
) -> DefiniteFailure:
    """Both totals, what the new one is made of, and what changed of it since the storefront was shown the cart.

    ``changed`` names kinds: ``price``, ``rate``, ``promotion``, ``coupon``, ``tax``, ``shipping``; of lines those that
    something changed for. Where stock was short and the start took what there was, ``adjustments`` says so.
    """
    changes = await changes_since_shown(session, loaded)
    figures = ("quantity", "unit_price", "discount_total", "tax_total", "total")
    context = {
        "expected_total": expected,
        "total": pricing.total,
        "currency": pricing.currency,
        "sub_total": pricing.sub_total,
        "discount_total": pricing.discount_total,
        "shipping_total": pricing.shipping_total,
        "tax_total": pricing.tax_total,
        "changed": list(changes.cart),
        "lines": [
            {
                "sku": line.sku,
                **{name: getattr(line, name) for name in figures},
                "changed": list(changes.lines[line.sku]),
            }
            for line in pricing.lines
            if changes.lines[line.sku]
        ],
        **({"adjustments": held.checkout.adjustments} if held.checkout.adjustments else {}),
    }
    now, then = (format_amount(total, pricing.currency) for total in (pricing.total, expected))
    return DefiniteFailure("total_mismatch", f"the total is {now} {pricing.currency}, not {then}", context)
