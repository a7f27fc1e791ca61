"""The yardstick: a workflow of seven regular activities that do nothing."""

from datetime import timedelta

from temporalio import activity, workflow

NAME = "Bare"
QUEUE = "bench-bare"
_TIMEOUT = timedelta(seconds=60)


@activity.defn(name="bench_nothing")
async def nothing(step: int) -> int:
    """Do nothing."""
    return step


@workflow.defn(name=NAME)
class Bare:
    """Seven activities, one after the other: what any checkout on Temporal costs before it does a thing."""

    @workflow.run
    async def run(self) -> int:
        """Run them; gives the sum of what they gave, so that none can be left out."""
        total = 0
        for step in range(7):
            total += await workflow.execute_activity(nothing, step, start_to_close_timeout=_TIMEOUT)
        return total
