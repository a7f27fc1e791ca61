"""What ops do about a checkout: release it, have what is stuck tried at once, resolve what the gateway refuses."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from checkout.api.admin.audit import ActingDep
from checkout.api.admin.inspecting import Inspecting
from checkout.api.admin.workflow import has_ended
from checkout.api.calls import Ended, StillRunning
from checkout.api.engine import Run
from checkout.api.idempotency import Intent, IntentDep
from checkout.api.models.admin import Resolution
from checkout.api.models.admin_checkout import InspectedCheckout
from checkout.api.models.checkouts import LiveCheckout
from checkout.api.problems import Problem
from checkout.api.reading import Reading
from checkout.api.resources import Resources, ResourcesDep
from checkout.domain import contract
from checkout.domain.messages import CancelRequest, ResolveRequest
from checkout.domain.words import State

#: The answer's status and the checkout.
Answered = tuple[int, InspectedCheckout]


class Repairing:
    """Asks a checkout's workflow on behalf of an admin; every act stands in the log, the refused ones too."""

    def __init__(self, resources: Resources, acting: ActingDep, intent: Intent) -> None:
        self._engine, self._beside = resources.engine, resources.beside
        self._acting, self._intent = acting, intent
        self._reading, self._inspecting = Reading(resources), Inspecting(resources)

    async def release(self, checkout_id: str, reason: str) -> Answered:
        """Cancel it and give back what it holds: 200 once that is done, 202 while it takes longer.

        One whose workflow is gone is repaired at once. Raises Problem ``too_late`` once the order is being made.
        """
        status = 200
        async with self._acting("release", checkout_id, reason):
            run = await self._reading.run(None, checkout_id)
            request = CancelRequest(by="ops", who=self._acting.admin.name)
            try:
                await self._engine.ask(run, contract.CANCEL, request, self._intent.update_id)
            except StillRunning:
                await self._engine.require_answer(run)
                status = 202
            except Ended:
                status = await self._repair(run)
                shown = await self._reading.get(None, checkout_id)
                if shown.state is State.COMPLETED:
                    raise _too_late(shown, "refund its order instead") from None
            except Problem as problem:
                if problem.code != "too_late":
                    raise
                shown = await self._reading.get(None, checkout_id)
                raise _too_late(shown, "it goes on to its end by itself") from None
        return status, await self._inspecting.get(checkout_id)

    async def retry(self, checkout_id: str) -> InspectedCheckout:
        """Have what waits for its next attempt be tried at once. Raises Problem where nothing does."""
        async with self._acting("retry", checkout_id):
            found = await self._inspecting.get(checkout_id)
            if found.workflow.pending_activities is None:
                await self._engine.latest_run(found.cart_id)  # 503 where Temporal is away
                raise _gone(found)
            if has_ended(found.workflow.status) and not found.state.closed:
                raise _gone(found)
            if found.workflow.status == "paused":
                resume = f"temporal workflow unpause --workflow-id {found.workflow.workflow_id}"
                detail = f"The workflow is paused in Temporal, so nothing is tried: `{resume}` first."
                raise Problem("nothing_to_retry", detail, checkout_id=checkout_id)
            waiting = [one.activity for one in found.workflow.pending_activities if not one.running]
            refused = [one.compensation for one in found.timeline.compensations if one.refused]
            if has_ended(found.workflow.status) or not (waiting or refused):
                raise Problem(
                    "nothing_to_retry", "Nothing of this checkout waits for another attempt.", checkout_id=checkout_id
                )
            # Of the run that was looked at: after a reset another than the row's, or its repair's.
            row = await self._reading.run(None, checkout_id)
            run = replace(row, run_id=found.workflow.run_id, repair=found.workflow.workflow_id != row.workflow_id)
            await self._engine.retry(run, waiting)
        return await self._inspecting.get(checkout_id)

    async def resolve(self, checkout_id: str, resolution: Resolution) -> Answered:
        """Take a compensation that the gateway refuses for done by hand. Raises Problem ``not_refused``."""
        status = 200
        async with self._acting("resolve", checkout_id, resolution.reason, resolution.done) as action_id:
            run = await self._reading.run(None, checkout_id)
            request = ResolveRequest(resolution.compensation, self._acting.admin.name, action_id)
            try:
                await self._ask_or_repair(run, contract.RESOLVE, request)
            except StillRunning:
                await self._engine.require_answer(run)
                status = 202
            except Ended:
                shown = await self._require_closed(checkout_id)
                detail = f"The checkout is {shown.state_name.lower()}: nothing of it is refused."
                raise Problem("not_refused", detail, checkout_id=checkout_id) from None
        return status, await self._inspecting.get(checkout_id)

    async def _ask_or_repair(self, run: Run, name: str, request: ResolveRequest) -> None:
        """Ask the checkout's workflow, or the repair that stands in for it. Raises Ended where neither runs."""
        try:
            await self._engine.ask(run, name, request, self._intent.update_id)
        except Ended:
            repair = await self._beside.repair_of(run)
            if repair is None:
                raise
            await self._engine.update(repair, name, request, self._intent.update_id)

    async def _repair(self, run: Run) -> int:
        """End a checkout whose workflow runs no more, unless it had ended itself: 200, or 202 while that goes on."""
        if (await self._reading.get(None, run.checkout_id)).state.closed:
            return 200
        try:
            await self._beside.repair(run)
        except (StillRunning, Ended):
            await self._engine.require_answer(run)
            return 202
        return 200

    async def _require_closed(self, checkout_id: str) -> LiveCheckout:
        """The checkout whose workflow has ended. Raises Problem ``workflow_gone`` where its row is still open."""
        shown = await self._reading.get(None, checkout_id)
        if not shown.state.closed:
            raise _gone(shown)
        return shown


def _too_late(shown: LiveCheckout, instead: str) -> Problem:
    return Problem(
        "too_late",
        f"The checkout is {shown.state_name.lower()} and can no longer be released: {instead}.",
        checkout_id=shown.id,
    )


def _gone(shown: LiveCheckout) -> Problem:
    return Problem(
        "workflow_gone",
        f"The checkout is {shown.state_name.lower()}, and its workflow runs no more: there is nobody to be asked: "
        "a release ends it at once.",
        checkout_id=shown.id,
    )


async def repairing(resources: ResourcesDep, acting: ActingDep, intent: IntentDep) -> Repairing:
    """The admin who asks, with what he may do about checkouts."""
    return Repairing(resources, acting, intent)


RepairingDep = Annotated[Repairing, Depends(repairing)]
