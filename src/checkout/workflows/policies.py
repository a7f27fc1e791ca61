"""How long an activity may take and how it is retried: one named policy for each kind, none pasted at a call."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

from checkout.domain.contract import ActivityContract

In = TypeVar("In")
Out = TypeVar("Out")

#: The first try of a phase that only touches Postgres: local, once, 2 seconds at most. Longer would hold up the
#: workflow task, and with it every update and query of this checkout.
LOCAL_ATTEMPT = timedelta(seconds=2)
ONCE = RetryPolicy(maximum_attempts=1)


@dataclass(frozen=True)
class Policy:
    """Timeouts and retries of a regular activity.

    ``attempt`` bounds one attempt, so that a killed worker's is tried again; ``heartbeat`` notices that sooner.
    """

    attempt: timedelta
    retry: RetryPolicy
    heartbeat: timedelta | None = None


async def execute(
    contract: ActivityContract[In, Out],
    argument: In,
    policy: Policy,
    *,
    summary: str | None = None,
    within: timedelta | None = None,
) -> Out:
    """An activity under its policy; ``summary`` where the contract's says too little. Raises ActivityError.

    ``within``: for how long it is tried, without an end unless given.
    """
    result: Out = await workflow.execute_activity(
        contract.name,
        argument,
        result_type=contract.gives,
        schedule_to_close_timeout=within,
        start_to_close_timeout=policy.attempt,
        heartbeat_timeout=policy.heartbeat,
        retry_policy=policy.retry,
        summary=summary or contract.summary,
    )
    return result


#: A phase on Postgres after its local attempt failed: an attempt waits for row locks, so it has time for them.
DATABASE = Policy(
    attempt=timedelta(seconds=15),
    retry=RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=10)),
)
#: A phase that calls the payment gateway. It sends heartbeats: a dead worker is noticed, a cancel arrives.
GATEWAY = Policy(
    attempt=timedelta(seconds=60),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=15)),
    heartbeat=timedelta(seconds=10),
)
#: Compensations retry until they succeed; a minute between attempts is soon enough for what is down that long.
UNDO_DATABASE = Policy(
    attempt=timedelta(seconds=15),
    retry=RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=60)),
)
UNDO_GATEWAY = Policy(
    attempt=timedelta(seconds=60),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60)),
    heartbeat=timedelta(seconds=10),
)
#: Reads all payments of some hours, page by page: the attempt is long, a dead worker is noticed by its heartbeat.
RECONCILE = Policy(
    attempt=timedelta(hours=1),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60)),
    heartbeat=timedelta(seconds=10),
)
#: One finding is settled; one that cannot be is not to hold up the others, and comes up in the next run.
SETTLE = Policy(
    attempt=timedelta(seconds=60),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=5),
    heartbeat=timedelta(seconds=10),
)
#: A listener of an event. An hour between two attempts is soon enough for a mail server that is away for days.
LISTENER = Policy(
    attempt=timedelta(seconds=60),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(hours=1)),
    heartbeat=timedelta(seconds=10),
)
#: A webhook: the activity says itself when it is tried again (``domain.webhooks.PAUSES``).
WEBHOOK = Policy(
    attempt=timedelta(seconds=30),
    retry=RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(hours=1)),
    heartbeat=timedelta(seconds=10),
)
#: What is kept of an event that goes out.
RECORD = Policy(
    attempt=timedelta(seconds=15),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60)),
)
#: From the first attempt on; who has not heard by then is not told any more, and people see it.
GIVE_UP_AFTER = timedelta(days=3)
#: Looks at all open checkouts, page by page.
AUDIT = Policy(
    attempt=timedelta(minutes=5),
    retry=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30)),
    heartbeat=timedelta(seconds=10),
)
