"""Money that a bank sent and nobody owed: beyond a total, or for a checkout that has ended. It goes back."""

from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.ids import unowed_workflow_id
from checkout.workflows.cancellation import uninterrupted
from checkout.workflows.policies import UNDO_GATEWAY, execute


@workflow.defn(name=contract.UNOWED_WORKFLOW)
class UnowedMoney:
    """Sends back what is unowed of one payment; one that runs is told of more by a signal.

    Tried until the gateway has done it: one that cannot stays open, and shows in the UI with its last failure. A Cancel
    from Temporal is only noted, because money may be on its way.
    """

    @workflow.init
    def __init__(self, _unowed: m.UnowedInput) -> None:
        self._more = True

    @workflow.run
    @uninterrupted
    async def run(self, unowed: m.UnowedInput) -> m.Returned:
        """Returns what was sent back in all, in minor units."""
        returned = 0
        while self._more:
            self._more = False
            returned += (await execute(contract.RETURN_UNOWED, unowed, UNDO_GATEWAY)).amount
        return m.Returned(returned)

    @workflow.signal(name=contract.PAYMENT_CHANGED)
    def payment_changed(self, _change: m.PaymentChanged) -> None:
        """More may have come."""
        self._more = True

    def cancel_requested(self) -> None:
        """A Cancel from Temporal."""
        workflow.set_current_details("- a Cancel from Temporal was ignored: money may be on its way")


async def send_back_apart(unowed: m.UnowedInput) -> None:
    """Have it sent back by a workflow of its own, which outlives the caller's and never holds it up."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            contract.UNOWED_WORKFLOW,
            unowed,
            id=unowed_workflow_id(unowed.payment_id),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        )
