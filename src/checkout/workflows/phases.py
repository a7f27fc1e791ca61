"""How a phase runs: on Postgres first as a local activity, else as a regular one that ops can see."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from checkout.domain.contract import ActivityContract
from checkout.workflows.failures import DeadlineReached, Interrupted, definite, sentence
from checkout.workflows.policies import LOCAL_ATTEMPT, ONCE, Policy

In = TypeVar("In")
Out = TypeVar("Out")


async def run_local_first(
    contract: ActivityContract[In, Out],
    argument: In,
    policy: Policy,
    *,
    until: datetime | None,
    interrupted: Callable[[], bool],
    on_trouble: Callable[[str], None],
) -> Out:
    """A phase that only touches Postgres: one local attempt, then, whatever but a definite failure came of it, the same
    phase as a regular activity with backoff, so that what is stuck shows in the UI with its last failure.

    Both may run at once (the local attempt may only have lost its answer): the database tells them apart (G5).
    Raises FailureError when the failure is definite, else as :func:`run_regular` does.
    """
    _rest(until)
    try:
        result: Out = await workflow.execute_local_activity(
            contract.name,
            argument,
            result_type=contract.gives,
            start_to_close_timeout=LOCAL_ATTEMPT,
            retry_policy=ONCE,
            summary=contract.summary,
        )
    except FailureError as error:
        if definite(error):
            raise
        on_trouble(sentence(error))
    else:
        return result
    return await run_regular(contract, argument, policy, until=until, interrupted=interrupted)


async def run_regular(
    contract: ActivityContract[In, Out],
    argument: In,
    policy: Policy,
    *,
    until: datetime | None,
    interrupted: Callable[[], bool],
) -> Out:
    """A phase as a regular activity, retried with backoff until the time ``until``.

    ``interrupted`` tells that the checkout is to end: an attempt that runs is waited for (its effect has to be known
    to be undone), the pause before the next one is not.
    Raises FailureError when the failure is definite, DeadlineReached when the time is over, Interrupted.
    """
    handle = workflow.start_activity(
        contract.name,
        argument,
        result_type=contract.gives,
        schedule_to_close_timeout=_rest(until),
        start_to_close_timeout=policy.attempt,
        heartbeat_timeout=policy.heartbeat,
        retry_policy=policy.retry,
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=contract.summary,
    )
    await workflow.wait_condition(lambda: handle.done() or interrupted())
    if not handle.done():
        handle.cancel()
    try:
        result: Out = await handle
    except FailureError as error:
        if definite(error):
            raise
        # Told to end, an attempt may as well have died or timed out: that it was told is what counts.
        if interrupted():
            raise Interrupted from error
        # A retry that would begin after the time is over is not waited for: the server gives up with the last
        # failure, so that only the definite ones are told apart from a timeout.
        raise DeadlineReached(sentence(error)) from error
    return result


def _rest(until: datetime | None) -> timedelta | None:
    if until is None:
        return None
    rest = until - workflow.now()
    if rest <= timedelta(0):
        raise DeadlineReached("no time was left to try")
    return rest
