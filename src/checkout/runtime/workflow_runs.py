"""Runs workflows, and keeps of which checkout each run is, so that log lines of the SDK can say it."""

from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from checkout.domain.contract import MEMO_CHECKOUT_ID
from checkout.runtime.log_context import remember_run


class NamingRunner(UnsandboxedWorkflowRunner):
    """What the SDK says of a task that fails names the workflow and the run, and not the checkout of that run."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Begin, or rebuild, a run."""
        memo = det.info.raw_memo.get(MEMO_CHECKOUT_ID)
        if memo is not None:
            checkout_id = det.payload_converter_factory().from_payload(memo, str)
            remember_run(det.info.run_id, workflow_id=det.info.workflow_id, checkout_id=checkout_id)
        return super().create_instance(det)
