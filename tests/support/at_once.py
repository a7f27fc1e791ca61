"""Many of something at once, and the statements that lost a race."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from checkout.runtime.database import sqlstate

Out = TypeVar("Out")


async def at_once(attempts: Iterable[Awaitable[Out]]) -> tuple[list[Out], list[ApplicationError]]:
    """Run all at once: what came of those that did it, and the failures of the others. Any other error is raised."""
    results = await asyncio.gather(*attempts, return_exceptions=True)
    done: list[Out] = []
    refused: list[ApplicationError] = []
    for result in results:
        if isinstance(result, ApplicationError):
            refused.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            done.append(result)
    return done, refused


@contextmanager
def database_errors(engine: AsyncEngine) -> Iterator[list[str]]:
    """The SQLSTATEs of the errors that the server answered with inside the block, such as 40P01 for a deadlock."""
    states: list[str] = []

    def note(context: Any) -> None:
        states.append(sqlstate(context.original_exception) or type(context.original_exception).__name__)

    event.listen(engine.sync_engine, "handle_error", note)
    try:
        yield states
    finally:
        event.remove(engine.sync_engine, "handle_error", note)
