"""Reconciliation: compares all that the gateway holds with what the shop knows. Started by ops, and by a schedule."""

from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError

from checkout.domain import contract
from checkout.domain import messages as m
from checkout.domain.reconciliation import (
    SETTLED_TO_ZERO,
    Finding,
    FindingKind,
    Reconciled,
    ReconciliationInput,
    Settled,
    Unexplained,
)
from checkout.workflows import search
from checkout.workflows.failures import sentence
from checkout.workflows.policies import RECONCILE, SETTLE, execute
from checkout.workflows.unowed import send_back_apart

CLEAN, FINDINGS = "clean", "findings"


@workflow.defn(name=contract.RECONCILIATION_WORKFLOW)
class Reconciliation:
    """Reports what the shop cannot explain, and mends it when told to. Ends Completed, whatever it found."""

    @workflow.run
    async def run(self, given: ReconciliationInput) -> Reconciled:
        """What was found, and of it what was mended."""
        workflow.set_current_details(f"Reading the payments of the last {given.hours} hours")
        found = await execute(contract.FIND_UNEXPLAINED, given, RECONCILE)
        findings = [replace(one, fixed=given.fix and await self._fix(one)) for one in found.findings]
        left = found.count - sum(one.fixed for one in findings)
        workflow.upsert_search_attributes([search.STATE.value_set(FINDINGS if left else CLEAN)])
        workflow.set_current_details(_details(found, findings))
        return Reconciled(found.payments, left, findings)

    async def _fix(self, finding: Finding) -> bool:
        """Whether it is mended; what a gateway does not do after a few tries is left to the next run."""
        if finding.kind is FindingKind.UNOWED:
            await send_back_apart(m.UnowedInput(finding.payment_id, finding.checkout_id, finding.attempt_id))
            return True
        if finding.kind is FindingKind.REFUNDED_ELSEWHERE:
            return await _mend(contract.NOTE_REFUND, finding)
        return finding.kind in SETTLED_TO_ZERO and await _mend(contract.SETTLE_FINDING, finding)


async def _mend(activity: contract.ActivityContract[Finding, Settled], finding: Finding) -> bool:
    try:
        await execute(activity, finding, SETTLE)
    except ActivityError as error:
        workflow.logger.warning("%s is not mended: %s", finding.payment_id, sentence(error))
        return False
    return True


def _details(found: Unexplained, findings: list[Finding]) -> str:
    """What ops read in the Temporal UI."""
    heading = f"**{found.count} findings** in {found.payments} payments"
    if not findings:
        return heading
    rows = [
        f"| `{one.payment_id}` | `{one.checkout_id}` | {one.kind} | {one.detail} | "
        f"{'mended' if one.fixed else one.remedy} |"
        for one in findings[:50]
    ]
    return "\n".join([heading, "", "| payment | checkout | what | | to do |", "|---|---|---|---|---|", *rows])
