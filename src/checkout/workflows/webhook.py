"""One event for one endpoint: sent until it is taken, for three days."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from checkout.domain import contract
from checkout.domain.webhooks import GONE, Deliver, Delivered, Undelivered
from checkout.workflows.announcing import announce
from checkout.workflows.failures import definite, sentence
from checkout.workflows.policies import GIVE_UP_AFTER, RECORD, WEBHOOK, execute


@workflow.defn(name=contract.WEBHOOK_WORKFLOW)
class Webhook:
    """Delivers a webhook. It ends Completed once the receiver has taken it, or nobody wants it any more.

    It ends Failed where the receiver has not within three days, or is gone for good; the store knows why, and an
    endpoint that has taken nothing for as long is disabled.
    """

    @workflow.run
    async def run(self, given: Deliver) -> Delivered:
        """Raises an ApplicationError ``webhook_gave_up``."""
        try:
            return await execute(contract.DELIVER_WEBHOOK, given, WEBHOOK, within=GIVE_UP_AFTER)
        except ActivityError as error:
            reason, verdict = sentence(error), definite(error)
        workflow.set_current_details(f"**Given up**: {reason}")
        gone = verdict is not None and verdict.type == GONE
        ended = await execute(contract.GIVE_UP_WEBHOOK, Undelivered(given.delivery_id, reason, gone), RECORD)
        await announce(ended.announcement)
        raise ApplicationError(reason, type="webhook_gave_up", non_retryable=True)
