"""How an activity answers: under its contract's name, definite failures as typed errors, nothing personal in them."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from checkout.activities.counting import Attempt
from checkout.activities.steps import step_of
from checkout.domain.contract import ActivityContract
from checkout.domain.errors import DefiniteFailure
from checkout.runtime.database import sqlstate

log = structlog.get_logger(__name__)

Owner = TypeVar("Owner")
In = TypeVar("In")
Out = TypeVar("Out")
Method = Callable[[Owner, In], Awaitable[Out]]


def phase_activity(contract: ActivityContract[In, Out]) -> Callable[[Method[Owner, In, Out]], Method[Owner, In, Out]]:
    """Register a method as the activity of a contract.

    A DefiniteFailure becomes an ApplicationError that is not retried: its type is the code, its first detail the
    figures, its second what only ops may see, and it is benign where the buyer did it. An error of the database becomes
    one that is retried and says no more than the SQLSTATE, since the driver's message repeats statements and values,
    and histories keep it (G7).
    """

    def register(method: Method[Owner, In, Out]) -> Method[Owner, In, Out]:
        @activity.defn(name=str(contract.name))
        @functools.wraps(method)
        async def run(self: Owner, given: In) -> Out:
            step, attempt = step_of(self, contract, given), Attempt(contract)
            try:
                result = await _answer(contract, method(self, given))
            except Exception as error:
                attempt.failed(error)
                # A phase's definite failure is an answer, and stands in the checkout's row.
                if step is not None and (step.compensates or not _definite(error)):
                    await step.failed(error)
                raise
            if step is not None:
                await _answer(contract, step.done())
            attempt.done(given, result)
            return result

        return run

    return register


async def _answer(contract: ActivityContract[Any, Any], work: Awaitable[Out]) -> Out:
    """What ``work`` gives; its errors as Temporal carries them."""
    try:
        return await work
    except DefiniteFailure as failure:
        raise application_error(failure) from None
    except SQLAlchemyError as error:
        state = sqlstate(error)
        log.warning("database_error", activity=str(contract.name), sqlstate=state, exc_info=error)
        raise ApplicationError(
            f"the database answered with {type(error).__name__}, SQLSTATE {state or 'none'}",
            type="database_error",
        ) from None


def _definite(error: Exception) -> bool:
    return isinstance(error, ApplicationError) and error.non_retryable


def application_error(failure: DefiniteFailure) -> ApplicationError:
    """The failure as Temporal carries it."""
    return ApplicationError(
        failure.detail,
        failure.context,
        *([failure.internal] if failure.internal else []),
        type=failure.code,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN if failure.benign else ApplicationErrorCategory.UNSPECIFIED,
    )
