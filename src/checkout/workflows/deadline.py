"""A timer whose end may be moved while it runs."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow


async def wait_until(condition: Callable[[], bool], deadline: Callable[[], datetime], summary: str) -> bool:
    """Waits for the condition until the deadline, which may be moved meanwhile; says whether the condition came true.

    A condition that comes true together with the timer wins.
    """
    while not condition():
        end = deadline()
        rest = end - workflow.now()
        if rest <= timedelta(0):
            return False
        try:
            await workflow.wait_condition(_either(condition, deadline, end), timeout=rest, timeout_summary=summary)
        except TimeoutError:
            # Not asked again what time it is: a timer may fire a fraction before its end, and would be started anew.
            if deadline() == end:
                return condition()
    return True


def _either(condition: Callable[[], bool], deadline: Callable[[], datetime], end: datetime) -> Callable[[], bool]:
    return lambda: condition() or deadline() != end
