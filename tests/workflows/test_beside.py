"""Every path of the workflows beside the checkout on everything that is real: how it ends, and what agrees then."""

import pytest
from temporalio.client import WorkflowExecutionStatus

from tests.histories.beside import BESIDE, Beside, code_of
from tests.histories.repairs import OTHER_REPAIRS
from tests.support.invariants import check_invariants
from tests.workflows.stage import Stage


@pytest.mark.parametrize("path", [*BESIDE, *OTHER_REPAIRS], ids=lambda path: str(path.name))
async def test_path(stage: Stage, path: Beside) -> None:
    stage.listeners = path.listeners
    async with stage.worker():
        handle = await path.drive(stage)
        assert await code_of(handle) == path.code
        status = (await handle.describe()).status
    assert status is (WorkflowExecutionStatus.FAILED if path.code else WorkflowExecutionStatus.COMPLETED)
    if path.explained:
        await check_invariants(stage.engine, await stage.ledger())
