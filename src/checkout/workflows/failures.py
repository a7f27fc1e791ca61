"""What an activity's failure means: definite (no retry mends it) or not, and how it is carried on."""

from typing import Any

from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    FailureError,
)

from checkout.domain.errors import Failure
from checkout.domain.progress import Refusal
from checkout.domain.words import Outcome, Phase


class Stop(Exception):
    """The checkout does not complete: how it ends, and the failure when it failed."""

    def __init__(self, outcome: Outcome, failure: Failure | None = None) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.failure = failure


class DeadlineReached(Exception):
    """A phase did not succeed by the time at which trying stops."""


class Interrupted(Exception):
    """A phase that waited for its next attempt was told to wait no longer."""


def root(error: FailureError) -> BaseException:
    """The failure itself: a local activity's arrives bare, a regular one's wrapped in an ActivityError."""
    return error.cause if isinstance(error, ActivityError) and error.cause is not None else error


def definite(error: FailureError) -> ApplicationError | None:
    """The activity's own verdict that no retry helps, or None: a timeout, a crash, a database that is away."""
    cause = root(error)
    return cause if isinstance(cause, ApplicationError) and cause.non_retryable else None


def sentence(error: FailureError) -> str:
    """The failure for people: its type, when it has one, and its message."""
    cause = root(error)
    kind = cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
    message = cause.message if isinstance(cause, FailureError) else str(cause)
    return f"{kind}: {message}"


def failure_of(error: ApplicationError, phase: Phase, at: str) -> Failure:
    """A definite failure of a phase as it is stored and shown; the error's first detail holds the figures."""
    context: Any = error.details[0] if error.details else {}
    return Failure(
        code=error.type or "unknown",
        phase=phase,
        detail=error.message,
        context=context if isinstance(context, dict) else {},
        at=at,
        benign=error.category is ApplicationErrorCategory.BENIGN,
    )


def ending_of(failure: Failure) -> ApplicationError:
    """The typed error by which a failed checkout's workflow ends: it names the phase.

    It is benign where it is the buyer's doing, so that ops see red only where something is wrong.
    """
    return ApplicationError(
        f"{failure.phase}: {failure.detail}",
        {"phase": failure.phase, "context": failure.context},
        type=failure.code,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN if failure.benign else ApplicationErrorCategory.UNSPECIFIED,
    )


def refuse(refusal: Refusal | None) -> None:
    """Fails an update with the refusal's code, if there is one.

    Only an ApplicationError fails the update alone; any other exception would fail the workflow task, for ever.
    """
    if refusal is not None:
        raise ApplicationError(
            refusal.detail, type=refusal.code, non_retryable=True, category=ApplicationErrorCategory.BENIGN
        )
