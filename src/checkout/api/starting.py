"""``POST /checkouts``: start a cart's checkout, or meet the one that runs, and wait a while for what comes of it."""

import asyncio
import itertools
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.api.calls import Ended, StillRunning, is_certain
from checkout.api.engine import UPDATE_WAIT, Run
from checkout.api.idempotency import Intent
from checkout.api.models.checkouts import Checkout, Start
from checkout.api.outcomes import RUNNING, closing, ended_badly, total_mismatch
from checkout.api.paying import Attempts, check_can_pay
from checkout.api.problems import Problem, invalid, unavailable
from checkout.api.protection.places import Places
from checkout.api.protection.visitors import Visitor, VisitorDep
from checkout.api.reading import Reading
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.validation import FieldError
from checkout.domain import contract
from checkout.domain.allocation import Shortage
from checkout.domain.ids import new_checkout_id
from checkout.domain.messages import CheckoutInput, Limits, StartRequest
from checkout.domain.shortage import insufficient_stock
from checkout.domain.words import UNPRICED, Phase, State
from checkout.runtime.log_context import about_checkout
from checkout.runtime.metrics import OVERSELL_REFUSALS
from checkout.store.checkouts import read_checkout
from checkout.store.errors import CartOrdered
from checkout.store.holds import CartHold, read_hold, shortage_of
from checkout.store.owner import Owner

#: The answer's status and the checkout.
Answered = tuple[int, Checkout]


class Starting:
    """Starts checkouts. Of several starts at once exactly one is answered 201: the one whose checkout it is."""

    def __init__(self, resources: Resources, visitor: Visitor) -> None:
        self._database, self._engine = resources.database, resources.engine
        self._places = Places(resources, visitor)
        self._changes, self._settings = resources.changes, resources.settings
        self._line = resources.line
        self._attempts = Attempts(resources.database, resources.settings)
        self._reading = Reading(resources)

    async def start(self, owner: Owner, wanted: Start, intent: Intent) -> Answered:
        """201, 200 or 202 with the checkout. Raises Problem for all else; nothing is held then.

        A start that finds the cart's last checkout closing may begin several in turn, of which the last counts; their
        ids follow from the intent, so that a repeat finds what an earlier run has begun, whether it runs or has ended.
        """
        ttl = checked_ttl(wanted.ttl_seconds, self._settings.ttl, self._settings.max_ttl)
        if wanted.payment is not None:
            check_can_pay(self._settings, wanted.payment, "payment.")
        give_up = asyncio.get_running_loop().time() + UPDATE_WAIT
        number = 0
        if intent.repeated:
            number, run = await self._begun(owner, wanted.cart_id, intent)
            with suppress(_Closing):
                if run is not None:
                    return await self._join(owner, run, intent.part(number - 1), paid=wanted.payment is not None)
        while True:
            hold = await self._database.read(lambda session: read_hold(session, owner, wanted.cart_id))
            if hold.order_reference is not None:
                raise CartOrdered(hold.order_reference)
            try:
                async with self._line.turn(lambda: self._refuse_when_sold_out(owner, wanted)):
                    return await self._once(owner, wanted, hold.items, ttl, intent.part(number))
            except _Closing as met:
                number += met.begun
                if not await self._reopened(owner, hold, give_up):
                    raise met.problem from None

    async def _begun(self, owner: Owner, cart_id: str, intent: Intent) -> tuple[int, Run | None]:
        """How many checkouts earlier runs of this start have begun, and the run of the last one."""
        last: Run | None = None
        for number in itertools.count():
            run = await self._run(owner, new_checkout_id(cart_id, intent.part(number).seed))
            if run is None:
                return number, last
            last = run
        raise AssertionError("unreachable: counting does not end")

    async def _run(self, owner: Owner, checkout_id: str) -> Run | None:
        try:
            return await self._reading.run(owner, checkout_id)
        except Problem as problem:
            if problem.code != "checkout_not_found":
                raise
            return None

    async def _join(self, owner: Owner, run: Run, intent: Intent, *, paid: bool) -> Answered:
        """Wait for what an earlier run of this start has begun, if there is still something to wait for."""
        with suppress(StillRunning, Ended):
            try:
                request = StartRequest(owner.session_id, run.checkout_id)
                await self._engine.update(run, contract.START, request, intent.update_id)
            except Problem as problem:
                if problem.status == 503:
                    raise
                # It is ending, and takes no start that it has not taken before: its row says how.
        return await self._answer(owner, run.checkout_id, paid=paid)

    async def _refuse_when_sold_out(self, owner: Owner, wanted: Start) -> None:
        """Raise Problem where those who were before it in line have taken what it wants: no checkout begins for it.

        That is what its first phase would say, at a tenth of the cost; so a sale to many ends for the others as soon as
        it is over.
        """

        async def look(session: AsyncSession) -> tuple[Shortage | None, CartHold]:
            # In this order: units that the cart's own checkout holds by now are no shortage to it.
            shortage = await shortage_of(session, wanted.cart_id, wanted.on_shortage)
            return shortage, await read_hold(session, owner, wanted.cart_id)

        shortage, hold = await self._database.read(look)
        if shortage is not None and hold.locked_by is None and hold.order_reference is None:
            failure = insufficient_stock(shortage)
            OVERSELL_REFUSALS.labels(Phase.CART_VALIDATION).inc()
            raise Problem(failure.code, failure.detail, phase=Phase.CART_VALIDATION, context=failure.context)

    async def _once(self, owner: Owner, wanted: Start, items: str, ttl: int, intent: Intent) -> Answered:
        checkout_id, payment = new_checkout_id(wanted.cart_id, intent.seed), wanted.payment
        await self._places.take(wanted.cart_id, checkout_id, ttl)
        about_checkout(checkout_id)
        checkout = CheckoutInput(
            checkout_id=checkout_id,
            cart_id=wanted.cart_id,
            session_id=owner.session_id,
            customer_id=owner.customer_id,
            expected_total=wanted.expected_total,
            on_shortage=wanted.on_shortage,
            attempt_id=None if payment is None else await self._attempts.store(checkout_id, wanted.cart_id, payment),
            return_url=self._return_url(checkout_id),
            items=items,
            limits=replace(self._limits(), ttl=ttl),
        )
        try:
            met = (await self._engine.start(checkout, intent.update_id)).checkout_id
        except StillRunning:
            return await self._unanswered(owner, checkout)
        except Ended:
            await self._never_began(checkout)
            latest = await self._engine.latest_run(checkout.cart_id)
            raise _Closing(closing(), begun=latest is not None and latest.checkout_id == checkout_id) from None
        except Problem as problem:
            if is_certain(problem):
                await self._never_began(checkout)
            if problem.code == "checkout_closing":
                raise _Closing(problem) from None
            raise
        if met != checkout_id:
            return await self._met(owner, checkout, met)
        if intent.repeated:
            await self._discard_attempt(checkout)  # unless this is the one that the checkout was begun with
        return await self._answer(owner, checkout_id, paid=payment is not None)

    async def _answer(self, owner: Owner, checkout_id: str, *, paid: bool = False) -> Answered:
        """What became of the checkout that this start began. One that was ``paid`` at once, and waits for its payment
        to be taken up, still runs: nobody has to pay again."""
        shown = await self._reading.get(owner, checkout_id)
        if shown.failure is not None and shown.failure.code == "checkout_closing":
            raise _Closing(closing(shown.id), begun=True)
        if bad := ended_badly(shown):
            raise bad
        runs = shown.state in RUNNING or (paid and shown.state is State.AWAITING_PAYMENT)
        return (202 if runs else 201), shown

    async def _met(self, owner: Owner, checkout: CheckoutInput, met: str) -> Answered:
        """The cart's running checkout is another: it is answered as it is, and pays nothing of what was sent."""
        await self._never_began(checkout)
        shown = await self._reading.get(owner, met)
        if mismatch := total_mismatch(shown, checkout.expected_total):
            raise mismatch
        return (202 if shown.state in UNPRICED else 200), shown

    async def _unanswered(self, owner: Owner, checkout: CheckoutInput) -> Answered:
        """No answer came in time. Which checkout runs, its row says, and before there is one only the run's memo."""
        if await self._database.read(lambda session: read_checkout(session, checkout.checkout_id)) is not None:
            return await self._answer(owner, checkout.checkout_id, paid=checkout.attempt_id is not None)
        # With patience: to be told that Temporal is away costs the buyer a try, and it may only be busy.
        run = await self._engine.latest_run(checkout.cart_id, wait=UPDATE_WAIT)
        if run is None:
            raise unavailable("temporal")
        if run.checkout_id == checkout.checkout_id:
            return (202, self._reading.begun(run)) if run.running else await self._answer(owner, checkout.checkout_id)
        if not run.running:
            hold = await self._database.read(lambda session: read_hold(session, owner, checkout.cart_id))
            if hold.order_reference is not None:  # sold while this start was waited for
                raise CartOrdered(hold.order_reference)
            raise _Closing(closing())
        view = await self._engine.view(run)
        if view is not None and view.session_id != owner.session_id:
            await self._never_began(checkout)
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

    async def _never_began(self, checkout: CheckoutInput) -> None:
        await self._discard_attempt(checkout)
        await self._places.leave(checkout.checkout_id)

    async def _discard_attempt(self, checkout: CheckoutInput) -> None:
        if checkout.attempt_id is not None:
            await self._attempts.discard(checkout.attempt_id)

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
    """The cart's last checkout is being closed; the problem to answer when that takes too long.

    ``begun``: this start had begun a checkout of its own, which came to nothing.
    """

    def __init__(self, problem: Problem, *, begun: bool = False) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.begun = begun


def checked_ttl(ttl: int | None, default: int, maximum: int) -> int:
    """The ttl in seconds, ``default`` where none is asked for. Raises Problem for more than the shop's maximum."""
    if ttl is None:
        return default
    if ttl > maximum:
        raise invalid(FieldError("ttl_seconds", f"must be {maximum} or less"))
    return ttl


async def starting(resources: ResourcesDep, visitor: VisitorDep) -> Starting:
    """The caller's starts."""
    return Starting(resources, visitor)


StartingDep = Annotated[Starting, Depends(starting)]
