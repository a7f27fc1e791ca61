"""Pays, extends and cancels a running checkout, and waits a while for what comes of it."""

from typing import Annotated

from fastapi import Depends

from checkout.api.calls import Ended, StillRunning, is_certain
from checkout.api.engine import Run
from checkout.api.idempotency import Intent
from checkout.api.models.checkouts import Checkout, Pay
from checkout.api.outcomes import RUNNING, closing, ended_badly, expired, total_mismatch
from checkout.api.paying import Attempts, check_can_pay
from checkout.api.problems import Problem
from checkout.api.reading import Reading
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.shown_checkout import as_answered
from checkout.api.starting import Answered, checked_ttl
from checkout.domain import contract
from checkout.domain.messages import CancelRequest, ConfirmRequest, ExtendRequest, PayRequest
from checkout.domain.words import State
from checkout.store.owner import Owner


class Asking:
    """Asks the workflow of a checkout; what the workflow refuses, and a checkout that runs no more, are problems."""

    def __init__(self, resources: Resources) -> None:
        self._engine, self._settings = resources.engine, resources.settings
        self._attempts = Attempts(resources.database, resources.settings)
        self._reading = Reading(resources)

    async def pay(self, owner: Owner, checkout_id: str, payment: Pay, intent: Intent) -> Answered:
        """200 with the checkout, 202 where it still runs. Raises Problem for a decline and all else."""
        check_can_pay(self._settings, payment)
        run = await self._reading.run(owner, checkout_id)
        attempt_id = await self._attempts.store(run.checkout_id, run.cart_id, payment)
        try:
            answered = await self._engine.ask(
                run, contract.PAY, PayRequest(attempt_id, payment.expected_total), intent.update_id
            )
        except StillRunning:
            return await self._still_running(owner, run)
        except Ended:
            await self._attempts.discard(attempt_id)
            raise await self._closed(owner, run, "not_payable", "takes no payment any more") from None
        except Problem as problem:
            if is_certain(problem):
                await self._attempts.discard(attempt_id)
            if problem.code == "total_mismatch":  # with the figures, which the workflow's refusal does not carry
                shown = await self._reading.get(owner, checkout_id)
                raise total_mismatch(shown, payment.expected_total) or problem from None
            raise
        shown = await self._reading.get(owner, checkout_id)
        if intent.repeated:
            await self._attempts.discard(attempt_id)  # the workflow has taken up that of an earlier run
            shown = as_answered(shown, answered)
        if bad := ended_badly(shown):
            raise bad
        return (202 if shown.state in RUNNING else 200), shown

    async def confirm(self, owner: Owner, checkout_id: str, intent: Intent) -> Checkout:
        """The checkout after a look at the gateway, whatever came of it. Raises Problem for a denial or a decline."""
        run = await self._reading.run(owner, checkout_id)
        try:
            await self._engine.ask(run, contract.CONFIRM, ConfirmRequest(), intent.update_id)
        except StillRunning:
            await self._engine.require_answer(run)
        except Ended:
            pass  # what came of it is in the row
        shown = await self._reading.get(owner, checkout_id)
        if (bad := ended_badly(shown)) and bad.status == 402:
            raise bad
        return shown

    async def extend(self, owner: Owner, checkout_id: str, ttl_seconds: int, intent: Intent) -> Checkout:
        """The checkout with its new deadline. Raises Problem."""
        request = ExtendRequest(checked_ttl(ttl_seconds, self._settings.ttl, self._settings.max_ttl))
        run = await self._reading.run(owner, checkout_id)
        try:
            await self._engine.ask(run, contract.EXTEND, request, intent.update_id)
        except StillRunning:
            await self._engine.require_answer(run)
            raise Problem(
                "checkout_busy", "The checkout did not answer in time. Send the same request again.", retry_after=2
            ) from None
        except Ended:
            raise await self._closed(owner, run, "not_extendable", "cannot be extended any more") from None
        return await self._reading.get(owner, checkout_id)

    async def cancel(self, owner: Owner, checkout_id: str, intent: Intent) -> Answered:
        """200 once all is given back, 202 while that takes longer. Raises Problem once the order is being made."""
        run = await self._reading.run(owner, checkout_id)
        try:
            await self._engine.ask(run, contract.CANCEL, CancelRequest(), intent.update_id)
        except StillRunning:
            return await self._still_running(owner, run)
        except Ended:
            shown = await self._reading.get(owner, checkout_id)
            if shown.state.closed and shown.state is not State.COMPLETED:
                return 200, shown  # given back already, by this or another end
            if not shown.state.closed:
                raise closing(shown.id) from None  # it was terminated; what it held is given back by others
            raise await self._closed(owner, run, "too_late", "can no longer be cancelled") from None
        return 200, await self._reading.get(owner, checkout_id)

    async def _still_running(self, owner: Owner, run: Run) -> Answered:
        await self._engine.require_answer(run)
        return 202, await self._reading.get(owner, run.checkout_id)

    async def _closed(self, owner: Owner, run: Run, code: str, what: str) -> Problem:
        """Why a checkout that runs no more does not do what was asked."""
        shown = await self._reading.get(owner, run.checkout_id)
        if shown.state is State.EXPIRED:
            return expired(shown.id)
        return Problem(code, f"The checkout is {shown.state_name.lower()} and {what}.", checkout_id=shown.id)


async def asking(resources: ResourcesDep) -> Asking:
    """The application's questions to running checkouts."""
    return Asking(resources)


AskingDep = Annotated[Asking, Depends(asking)]
