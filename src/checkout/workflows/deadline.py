"""A timer whose end may be moved to a later time while it runs."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow


async def wait_until(condition: Callable[[], bool], deadline: Callable[[], datetime], summary: str) -> bool:
    """Waits for the condition until the deadline; says whether the condition came true.

    A condition that comes true together with the timer wins. The deadline may be moved to a later time meanwhile: the
    timer that runs then finds out when it fires, and another is started for the rest, which costs less (events, and
    actions of Temporal Cloud) than to cancel and start one at each extension.
    """
    while not condition():
        end = deadline()
        rest = end - workflow.now()
        if rest <= timedelta(0):
            return False
        try:
            await workflow.wait_condition(condition, timeout=rest, timeout_summary=summary)
        except TimeoutError:
            # Not asked again what time it is: a timer may fire a fraction before its end, and would be started anew.
            if deadline() <= end:
                return condition()
    return True
