"""How an activity answers: under its contract's name, definite failures as typed errors, nothing personal in them."""

import functools
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError

from checkout.activities.counting import Attempt
from checkout.activities.log_context import say_what_runs
from checkout.activities.steps import step_of
from checkout.domain.contract import ActivityContract
from checkout.domain.errors import DefiniteFailure, NotYet
from checkout.runtime.database import Sessions
from checkout.store.trouble import told

log = structlog.get_logger(__name__)


class OnDatabase(Protocol):
    """What activities belong to: whatever works on the shop's database."""

    @property
    def sessions(self) -> Sessions:
        """Sessions on its pool."""


Owner = TypeVar("Owner", bound=OnDatabase)
In = TypeVar("In")
Out = TypeVar("Out")
Method = Callable[[Owner, In], Awaitable[Out]]


def performs(contract: ActivityContract[In, Out]) -> Callable[[Method[Owner, In, Out]], Method[Owner, In, Out]]:
    """Register a method as the activity of a contract.

    A DefiniteFailure becomes an ApplicationError that is not retried: its type is the code, its first detail the
    figures, its second what only ops may see, and it is benign where the buyer did it. NotYet is retried, with its
    sentence. An error of the database becomes one that is retried and says which server or row it is about; any other
    error, one that says what kind it is and where it was raised. Both in words of ours: the driver's repeat statements
    and values, nobody knows what others repeat, and histories keep it (G7). The log has all of it.
    """

    def register(method: Method[Owner, In, Out]) -> Method[Owner, In, Out]:
        @activity.defn(name=str(contract.name))
        @functools.wraps(method)
        async def run(self: Owner, given: In) -> Out:
            say_what_runs(contract, given)
            step, attempt = step_of(self, contract, given), Attempt(contract)
            attempt.begins()
            try:
                result = await _answer(self, contract, method(self, given))
            except Exception as error:
                attempt.failed(error)
                # A phase's definite failure is an answer, and stands in the checkout's row.
                if step is not None and (step.compensates or not _definite(error)):
                    await step.failed(error)
                raise
            if step is not None:
                await _answer(self, contract, step.done())
            attempt.done(given, result)
            return result

        return run

    return register


async def _answer(owner: OnDatabase, contract: ActivityContract[Any, Any], work: Awaitable[Out]) -> Out:
    """What ``work`` gives; its errors as Temporal carries them. ``owner`` has the pool that was worked on."""
    try:
        return await work
    except DefiniteFailure as failure:
        raise application_error(failure) from None
    except NotYet as error:
        raise ApplicationError(str(error), type=type(error).__name__) from None
    except SQLAlchemyError as error:
        detail = await told(owner.sessions, error)
        log.warning("database_error", activity=str(contract.name), detail=detail, exc_info=error)
        raise ApplicationError(detail, type="database_error") from None
    except FailureError:
        raise
    except Exception as error:
        kind = type(error).__name__
        log.warning("activity_broke", activity=str(contract.name), kind=kind, exc_info=error)
        raise ApplicationError(f"raised by {_place(error)}; the worker's log says why", type=kind) from None


def _place(error: Exception) -> str:
    """The line of ours that raised it, or called what did."""
    found = "code that is not ours"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("checkout.") and module != __name__:
            found = f"{module}.{frame.f_code.co_name}, line {line}"
    return found


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
