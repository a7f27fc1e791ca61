"""The audit (G6): begins the repair of every open checkout whose workflow is gone. A schedule starts it each minute."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from checkout.domain import contract
from checkout.domain.audit import Audited, AuditInput, GoneCheckout, RepairInput
from checkout.workflows import search
from checkout.workflows.policies import AUDIT, execute
from checkout.workflows.start import repair_options

FINDINGS = "findings"
#: How many of each kind the details name.
_SHOWN = 50


@workflow.defn(name=contract.AUDIT_WORKFLOW)
class Audit:
    """Finds, and begins repairs; it does not wait for them, so that one that is held up holds up no other."""

    @workflow.run
    async def run(self, given: AuditInput) -> Audited:
        """What was found; checkouts that are alive, or are being repaired already, are left alone."""
        found = await execute(contract.FIND_GONE, given, AUDIT)
        begun = await asyncio.gather(*(_repair(one) for one in found.checkouts))
        done = Audited(
            found.open,
            [one for one, first in zip(found.checkouts, begun, strict=True) if first],
            found.repairing + begun.count(False),
            found.lingering,
        )
        if found.checkouts or found.lingering:
            workflow.upsert_search_attributes([search.STATE.value_set(FINDINGS)])
        workflow.set_current_details(_details(done))
        return done


async def _repair(one: GoneCheckout) -> bool:
    """Begin the checkout's repair, in a workflow of its own; False where another audit has begun it before."""
    given = RepairInput(one.checkout_id, one.cart_id, one.workflow_id, one.run_id)
    try:
        await workflow.start_child_workflow(
            contract.REPAIR_WORKFLOW,
            given,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            **repair_options(given, f"its workflow is {one.fate.words}"),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def _details(done: Audited) -> str:
    """What ops read in the Temporal UI."""
    heading = f"**{len(done.begun)} repairs begun** of {done.open} open checkouts"
    parts = [heading + (f", {done.repairing} go on" if done.repairing else "")]
    if done.begun:
        rows = [f"| `{one.checkout_id}` | {one.fate.words} |" for one in done.begun[:_SHOWN]]
        parts.append("\n".join(["| checkout | its workflow |", "|---|---|", *rows]))
    if done.lingering:
        names = ", ".join(f"`{one}`" for one in done.lingering[:_SHOWN])
        parts.append(f"Ended, and their workflow still runs; look at it, then terminate it: {names}")
    return "\n\n".join(parts)
