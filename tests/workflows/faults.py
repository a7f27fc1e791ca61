"""Faults at chosen moments, in front of real activities: an attempt breaks, loses its answer, or waits until told."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from checkout.domain.contract import ActivityContract
from tests.workflows.fakes import Gate

#: Around one attempt of an activity: is given the attempt, and runs it, or not, when it likes.
Around = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


class Faults(Interceptor):
    """Does as told around the next attempts of an activity, and records all of them.

    ``calls`` has the name of each attempt that began, in order; ``local`` of those that ran as local activities.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.local: list[str] = []
        self._around: dict[str, deque[Around]] = defaultdict(deque)

    def then(self, contract: ActivityContract[Any, Any], *arounds: Around) -> "Faults":
        """The next attempts of the activity, one after the other; those after them run as they are."""
        self._around[contract.name].extend(arounds)
        return self

    def clear(self) -> None:
        """Whatever was still to come does not."""
        self._around.clear()

    def count(self, contract: ActivityContract[Any, Any]) -> int:
        """How many attempts of the activity began."""
        return self.calls.count(contract.name)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's
        """In front of every activity of the worker."""
        return _Inbound(next, self)

    def take(self, name: str) -> Around | None:
        """What the attempt that begins now is to do."""
        self.calls.append(name)
        if activity.info().is_local:
            self.local.append(name)
        return self._around[name].popleft() if self._around[name] else None


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, faults: Faults) -> None:
        super().__init__(following)
        self._faults = faults

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - the SDK's
        around = self._faults.take(activity.info().activity_type)
        if around is None:
            return await super().execute_activity(input)
        return await around(lambda: self.next.execute_activity(input))


async def breaks(_: Callable[[], Awaitable[Any]]) -> Any:
    """The attempt fails before it does anything: a database or gateway that does not answer."""
    raise ConnectionError("no answer")


async def loses_its_answer(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """The attempt does all it does, and nobody learns of it."""
    await attempt()
    raise ConnectionError("the answer was lost")


class Late:
    """An attempt whose answer nobody waits for any more: it fails at once, and really runs when ``wake`` is called."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._attempt: asyncio.Future[Any] | None = None

    async def __call__(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """The attempt's answer is lost before it began."""

        async def later() -> Any:
            await self._woken.wait()
            return await attempt()

        self._attempt = asyncio.create_task(later())
        raise ConnectionError("the worker was paused")

    @property
    def asleep(self) -> bool:
        """Whether it began, and nobody has woken it."""
        return self._attempt is not None and not self._woken.is_set()

    async def wake(self) -> BaseException | None:
        """Let it run now; gives what it raised."""
        assert self._attempt is not None
        self._woken.set()
        return (await asyncio.gather(self._attempt, return_exceptions=True))[0] or None


def waits(gate: Gate) -> list[Around]:
    """Every attempt of the activity begins when the gate is opened."""

    async def around(attempt: Callable[[], Awaitable[Any]]) -> Any:
        await gate()
        return await attempt()

    return [around for _ in gate.always]


def not_again_for(pause: timedelta) -> Around:
    """The attempt fails, and the next one is only after so long."""

    async def around(_: Callable[[], Awaitable[Any]]) -> Any:
        raise ApplicationError("not now", type="not_now", next_retry_delay=pause)

    return around


def refuses(code: str) -> Around:
    """The attempt fails as if for good."""

    async def around(_: Callable[[], Awaitable[Any]]) -> Any:
        raise ApplicationError(f"refused with {code}", type=code, non_retryable=True)

    return around
