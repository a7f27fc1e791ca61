"""Every path on everything that is real: how it ends, and that nothing is left of it."""

import contextlib

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from checkout.domain import contract
from checkout.domain.words import State
from checkout.listeners import Listeners
from tests.histories.paths import PATHS, Path
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import Stage

_STATUS = {
    State.COMPLETED: WorkflowExecutionStatus.COMPLETED,
    State.EXPIRED: WorkflowExecutionStatus.COMPLETED,
    State.CANCELLED: WorkflowExecutionStatus.COMPLETED,
    State.FAILED: WorkflowExecutionStatus.FAILED,
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.name))
async def test_path(stage: Stage, path: Path) -> None:
    stage.listeners = Listeners(path.listens)
    async with contextlib.AsyncExitStack() as workers:
        if not path.workers:
            await workers.enter_async_context(stage.worker())
        run = await path.drive(stage)
        with contextlib.suppress(WorkflowFailureError):
            await run.handle.result()
        status = (await run.handle.describe()).status
    canceled = path.name in {"canceled_in_temporal", "transfer_canceled_in_temporal", "transfer_canceled_early"}
    assert status is (WorkflowExecutionStatus.CANCELED if canceled else _STATUS[path.ends])
    row = await assert_ended(stage, run, path.ends, path.code, path.phase)
    async with stage.worker():
        # The workflow's own view agrees with the row, to the version.
        view = await run.view()
    assert (view.state, view.version, view.order_reference) == (path.ends, row["version"], row["order_reference"])
    assert stage.faults.count(contract.RESTOCK) == 0
