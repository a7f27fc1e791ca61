"""Tells those who listen of one event: each by itself, as long as it takes, whatever became of the checkout since."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from checkout.domain import contract
from checkout.domain.events import Announcement, Call, Telling, Told
from checkout.domain.webhooks import WEBHOOKS, Deliver, delivery_workflow_id
from checkout.workflows.announcing import start_beside
from checkout.workflows.failures import sentence
from checkout.workflows.policies import GIVE_UP_AFTER, LISTENER, RECORD, execute


@workflow.defn(name=contract.NOTIFY_WORKFLOW)
class Notify:
    """One event, and its listeners. It ends Completed once all have heard, Failed where one did not within three days.

    Listeners do not wait for each other. One that fails is tried again with backoff, and shows as a pending activity
    with its last failure.
    """

    @workflow.init
    def __init__(self, announcement: Announcement) -> None:
        self._announcement = announcement
        self._stands = {call.listener: "waits" for call in announcement.calls}

    @workflow.run
    async def run(self, announcement: Announcement) -> Told:
        """Raises an ApplicationError ``listener_gave_up`` that names those who have not heard, and why."""
        self._describe()
        failures = await asyncio.gather(*(self._tell(call) for call in announcement.calls))
        missed = [failure for failure in failures if failure is not None]
        if missed:
            raise ApplicationError("; ".join(missed), type="listener_gave_up", non_retryable=True)
        return Told(len(failures))

    async def _tell(self, call: Call) -> str | None:
        """Tell one listener; gives why it has not heard, None when it has."""
        if call.after:
            self._stand(call, f"is told {call.after} s after the event")
            await workflow.sleep(call.after, summary=f"Until {call.listener} is told")
        self._stand(call, "is being told")
        try:
            if call.listener == WEBHOOKS:
                await self._send()
            else:
                telling = Telling(call.listener, self._announcement.event, self._announcement.facts)
                await execute(contract.TELL_LISTENER, telling, LISTENER, summary=call.listener, within=GIVE_UP_AFTER)
        except ActivityError as error:
            # The others are told all the same.
            self._stand(call, f"gave up: {sentence(error)}")
            return f"{call.listener}: {sentence(error)}"
        self._stand(call, "has heard")
        return None

    async def _send(self) -> None:
        """Start a workflow for each endpoint that wants the event: a receiver that is away holds up no other."""
        telling = Telling(WEBHOOKS, self._announcement.event, self._announcement.facts)
        planned = await execute(contract.PLAN_WEBHOOKS, telling, RECORD)
        for delivery in planned.deliveries:
            await start_beside(
                contract.WEBHOOK_WORKFLOW,
                Deliver(delivery),
                delivery_workflow_id(delivery),
                self._announcement,
                f"{self._announcement.event} as a webhook",
            )

    def _stand(self, call: Call, how: str) -> None:
        self._stands[call.listener] = how
        self._describe()

    def _describe(self) -> None:
        facts = self._announcement.facts
        order = f", order `{facts['order_reference']}`" if facts.get("order_reference") else ""
        lines = "".join(f"\n- `{listener}` {how}" for listener, how in self._stands.items())
        workflow.set_current_details(
            f"**{self._announcement.event}** of checkout `{facts['checkout_id']}`{order}\n{lines}"
        )
