"""What the Temporal server says of the shop as a whole: whether a worker asks for work, and what fails."""

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from checkout.api import engine
from checkout.api.calls import bounded

#: A poll of the server lasts a minute; a worker that was not heard of for longer is gone.
POLLER_SILENCE = timedelta(seconds=70)

#: The search attribute is the server's, and there after a few failures in a row. A task that timed out is not the
#: code's doing: its worker was killed, or stands still.
_FAILING = "ExecutionStatus = 'Running' AND TemporalReportedProblems = 'category=WorkflowTaskFailed'"


class TemporalHealth:
    """Looks at the shop's task queue. Raises Problem ``temporal_unavailable`` (503) where Temporal does not answer."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def count_failing(self) -> int:
        """How many running workflows of the shop have tasks that fail, by the server's own account."""
        queue, wait = self._task_queue.replace("'", "''"), engine.RPC_WAIT
        counting = self._client.count_workflows(
            f"{_FAILING} AND TaskQueue = '{queue}'", rpc_timeout=timedelta(seconds=wait)
        )
        return (await bounded(counting, wait)).count

    async def worker_polling(self) -> bool:
        """Whether a worker has asked for workflow tasks lately."""
        wait = engine.RPC_WAIT
        answer = await bounded(
            self._client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=self._client.namespace,
                    task_queue=TaskQueue(name=self._task_queue),
                    task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                ),
                timeout=timedelta(seconds=wait),
            ),
            wait,
        )
        oldest = datetime.now(UTC) - POLLER_SILENCE
        return any(poller.last_access_time.ToDatetime(UTC) > oldest for poller in answer.pollers)
