"""Money that a bank sent and nobody owed: beyond a total, or for a checkout that has ended. It goes back."""

from temporalio import workflow

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.workflows.policies import UNDO_GATEWAY


@workflow.defn(name=contract.UNOWED_WORKFLOW)
class UnowedMoney:
    """Sends back what is unowed of one payment; one that runs is told of more by a signal.

    Tried until the gateway has done it: one that cannot stays open, and shows in the UI with its last failure.
    """

    @workflow.init
    def __init__(self, _unowed: m.UnowedInput) -> None:
        self._more = True

    @workflow.run
    async def run(self, unowed: m.UnowedInput) -> m.Returned:
        """Returns what was sent back in all, in minor units."""
        returned = 0
        while self._more:
            self._more = False
            result = await workflow.execute_activity(
                contract.RETURN_UNOWED.name,
                unowed,
                result_type=contract.RETURN_UNOWED.gives,
                start_to_close_timeout=UNDO_GATEWAY.attempt,
                heartbeat_timeout=UNDO_GATEWAY.heartbeat,
                retry_policy=UNDO_GATEWAY.retry,
                summary=contract.RETURN_UNOWED.summary,
            )
            returned += result.amount
        return m.Returned(returned)

    @workflow.signal(name=contract.PAYMENT_CHANGED)
    def payment_changed(self, _change: m.PaymentChanged) -> None:
        """More may have come."""
        self._more = True
