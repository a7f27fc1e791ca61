"""A Cancel from Temporal is a request like the storefront's, never an interruption."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from temporalio import workflow


class Cancellable(Protocol):
    """A workflow that decides itself what a Cancel from Temporal means."""

    def cancel_requested(self) -> None:
        """A Cancel arrived. May only note it: workflow code runs on."""


W = TypeVar("W", bound=Cancellable)
In = TypeVar("In")
Out = TypeVar("Out")


def uninterrupted(run: Callable[[W, In], Awaitable[Out]]) -> Callable[[W, In], Awaitable[Out]]:
    """Runs a workflow's body in a task of its own, which no Cancel reaches; the workflow is told by a method.

    Temporal delivers a Cancel by cancelling the main coroutine at whatever it awaits: an activity in flight would be
    abandoned with its effect unknown, compensations would stop halfway, and a bare ``asyncio.shield`` around them ends
    the main coroutine early. Here the main coroutine only waits, and goes on waiting until the body is done.
    """

    @functools.wraps(run)
    async def shielded(self: W, argument: In) -> Out:
        body = asyncio.ensure_future(run(self, argument))
        while not body.done():
            try:
                await workflow.wait([body])
            except asyncio.CancelledError:
                if workflow.cancellation_reason() is None:
                    raise  # the worker drops the workflow from its cache: everything is cancelled, the body too
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
                self.cancel_requested()
        return body.result()

    return shielded
