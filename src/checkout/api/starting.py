"""``POST /checkouts``: start a cart's checkout, or meet the one that runs, and wait a while for what comes of it."""

import asyncio
from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from checkout.api.engine import UPDATE_WAIT, Ended, StillRunning
from checkout.api.models.checkouts import Checkout, Payment, Start
from checkout.api.outcomes import OPENING, RUNNING, closing, ended_badly, total_mismatch
from checkout.api.paying import check_can_pay
from checkout.api.problems import Problem, unavailable
from checkout.api.reading import Reading
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.validation import FieldError
from checkout.domain.ids import new_attempt_id, new_checkout_id
from checkout.domain.messages import CheckoutInput, Limits
from checkout.store import payments
from checkout.store.errors import CartOrdered
from checkout.store.holds import CartHold, read_hold
from checkout.store.owner import Owner

#: The answer's status and the checkout.
Answered = tuple[int, Checkout]


class Starting:
    """Starts checkouts. Of several starts at once exactly one is answered 201: the one whose checkout it is."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._engine = resources.database, resources.engine
        self._changes, self._settings = resources.changes, resources.settings
        self._reading = Reading(resources)

    async def start(self, owner: Owner, wanted: Start) -> Answered:
        """201, 200 or 202 with the checkout. Raises Problem for all else; nothing is held then."""
        ttl = checked_ttl(wanted.ttl_seconds, self._settings.ttl, self._settings.max_ttl)
        if wanted.payment is not None:
            check_can_pay(self._settings, wanted.payment, "payment.")
        give_up = asyncio.get_running_loop().time() + UPDATE_WAIT
        while True:
            hold = await self._database.read(lambda session: read_hold(session, owner, wanted.cart_id))
            if hold.order_reference is not None:
                raise CartOrdered(hold.order_reference)
            try:
                return await self._once(owner, wanted, ttl)
            except _Closing as met:
                if not await self._reopened(owner, hold, give_up):
                    raise met.problem from None

    async def _once(self, owner: Owner, wanted: Start, ttl: int) -> Answered:
        checkout_id = new_checkout_id(wanted.cart_id)
        checkout = CheckoutInput(
            checkout_id=checkout_id,
            cart_id=wanted.cart_id,
            session_id=owner.session_id,
            customer_id=owner.customer_id,
            expected_total=wanted.expected_total,
            on_shortage=wanted.on_shortage,
            attempt_id=await self._store_attempt(checkout_id, wanted.cart_id, wanted.payment),
            return_url=self._return_url(checkout_id),
            limits=replace(self._limits(), ttl=ttl),
        )
        try:
            met = (await self._engine.start(checkout)).checkout_id
        except StillRunning:
            return await self._unanswered(owner, checkout)
        except Ended:
            await self._discard_attempt(checkout)
            raise _Closing(closing()) from None
        except Problem as problem:
            if problem.code != "temporal_unavailable":  # then the workflow may have started with it
                await self._discard_attempt(checkout)
            if problem.code == "checkout_closing":
                raise _Closing(problem) from None
            raise
        if met != checkout_id:
            return await self._met(owner, checkout, met)
        return await self._answer(owner, checkout)

    async def _answer(self, owner: Owner, checkout: CheckoutInput) -> Answered:
        """What became of the checkout that this start began."""
        shown = await self._reading.get(owner, checkout.checkout_id)
        if shown.failure is not None and shown.failure.code == "checkout_closing":
            raise _Closing(closing(shown.id))
        if bad := ended_badly(shown):
            raise bad
        return (202 if shown.state in RUNNING else 201), shown

    async def _met(self, owner: Owner, checkout: CheckoutInput, met: str) -> Answered:
        """The cart's running checkout is another: it is answered as it is, and pays nothing of what was sent."""
        await self._discard_attempt(checkout)
        shown = await self._reading.get(owner, met)
        if mismatch := total_mismatch(shown, checkout.expected_total):
            raise mismatch
        return (202 if shown.state in OPENING else 200), shown

    async def _unanswered(self, owner: Owner, checkout: CheckoutInput) -> Answered:
        """Which checkout runs, only the run's memo says: no answer came in time."""
        run = await self._engine.latest_run(checkout.cart_id)
        if run is None:
            raise unavailable("temporal")
        if run.checkout_id == checkout.checkout_id:
            return await self._answer(owner, checkout)
        if not run.running:
            raise _Closing(closing())
        view = await self._engine.view(run)
        if view is not None and view.session_id != owner.session_id:
            await self._discard_attempt(checkout)
            raise Problem("checkout_in_progress", "Another session is checking this cart out.")
        return await self._met(owner, checkout, run.checkout_id)

    async def _reopened(self, owner: Owner, hold: CartHold, give_up: float) -> bool:
        """Wait until the cart is held by none, or another, than the checkout that is closing; False when time is up."""
        if hold.locked_by is None:
            await asyncio.sleep(0.05)  # its workflow is just ending
            return asyncio.get_running_loop().time() < give_up
        with self._changes.watch(hold.locked_by) as watch:
            while True:
                now = await self._database.read(lambda session: read_hold(session, owner, hold.cart_id))
                if now.locked_by != hold.locked_by:
                    return True
                try:
                    async with asyncio.timeout_at(give_up):
                        await watch.changed()
                except TimeoutError:
                    return False

    async def _store_attempt(self, checkout_id: str, cart_id: str, payment: Payment | None) -> str | None:
        if payment is None:
            return None
        attempt_id = new_attempt_id()
        await self._database.write(
            lambda session: payments.add_attempt(
                session,
                attempt_id=attempt_id,
                checkout_id=checkout_id,
                cart_id=cart_id,
                gateway=self._settings.payment_gateway,
                method=payment.method,
                token=payment.token,
            )
        )
        return attempt_id

    async def _discard_attempt(self, checkout: CheckoutInput) -> None:
        """Erase the token of an attempt that no workflow will ever take up."""
        if checkout.attempt_id is not None:
            await self._database.write(lambda session: payments.discard_unused(session, checkout.checkout_id))

    def _return_url(self, checkout_id: str) -> str | None:
        url = self._settings.return_url
        return None if url is None else url.replace("{checkout_id}", checkout_id)

    def _limits(self) -> Limits:
        settings = self._settings
        return Limits(
            ttl=settings.ttl,
            max_ttl=settings.max_ttl,
            payment_auth_timeout=settings.payment_auth_timeout,
            payment_capture_timeout=settings.payment_capture_timeout,
            funds_timeout=settings.funds_timeout,
            price_drift_tolerance=settings.price_drift_tolerance,
        )


class _Closing(Exception):
    """The cart's last checkout is being closed; the problem to answer when that takes too long."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def checked_ttl(ttl: int | None, default: int, maximum: int) -> int:
    """The ttl in seconds, ``default`` where none is asked for. Raises Problem for more than the shop's maximum."""
    if ttl is None:
        return default
    if ttl > maximum:
        raise Problem(
            "validation_failed",
            "Not valid: ttl_seconds.",
            errors=[FieldError("ttl_seconds", f"must be {maximum} or less")],
        )
    return ttl


def starting(resources: ResourcesDep) -> Starting:
    """The application's starts."""
    return Starting(resources)


StartingDep = Annotated[Starting, Depends(starting)]
