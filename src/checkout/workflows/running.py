"""How the phases of one checkout run: registered to be undone, under the policy of their kind, ended by a cancel."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

from checkout.domain import messages as m
from checkout.domain.contract import ActivityContract
from checkout.domain.errors import Failure
from checkout.domain.progress import Progress
from checkout.domain.times import rfc3339
from checkout.domain.words import Outcome, Phase, State
from checkout.workflows.details import Journal
from checkout.workflows.failures import DeadlineReached, Interrupted, Stop, definite, failure_of
from checkout.workflows.phases import run_local_first, run_regular
from checkout.workflows.policies import DATABASE, GATEWAY, ONCE, Policy
from checkout.workflows.saga import Saga

#: What buyers are told when a phase found no more time; why, is in the details for ops.
_LATE = {
    Phase.PAYMENT_AUTHORIZATION: "the payment could not be authorized in time",
    Phase.PAYMENT_CAPTURE: "the payment could not be captured in time",
}

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass
class Running:
    """One checkout while it runs: what it knows, whom it tells, what has to be undone, and who cancelled it."""

    checkout: m.CheckoutInput
    progress: Progress
    journal: Journal
    saga: Saga
    cancel: m.CancelRequest | None = None

    @property
    def interrupted(self) -> bool:
        """Whether what runs now is to end because somebody cancelled."""
        return self.cancel is not None and self.progress.state is not State.CREATING_ORDER and self.progress.cancellable

    def stop_if_cancelled(self) -> None:
        """Raises Stop."""
        if self.cancel is not None:
            raise Stop(Outcome.CANCELLED)

    @contextmanager
    def phase(self, state: State) -> Iterator[None]:
        """Around a phase: a cancel that came before it, its compensation, its state, and what its failure means."""
        self.stop_if_cancelled()
        phase = state.phase
        assert phase is not None  # noqa: S101 - states without a phase are none that a phase runs in
        self.saga.register(phase)
        self.journal.enter(state)
        try:
            yield
        except FailureError as error:
            verdict = definite(error)
            if verdict is None:
                raise
            for internal in verdict.details[1:]:
                self.journal.note(f"{verdict.type}: {internal}")
            raise Stop(Outcome.FAILED, failure_of(verdict, phase, rfc3339(workflow.now()))) from error
        except Interrupted as error:
            raise Stop(Outcome.CANCELLED) from error
        except DeadlineReached as error:
            self.journal.note(f"{phase} was given up: {error}")
            failure = self.failure(f"{phase}_timed_out", _LATE.get(phase, "the checkout could not go on in time"))
            if not self.progress.expires_with(state, workflow.now()):
                raise Stop(Outcome.FAILED, failure) from error
            self.progress.last_error = failure
            raise Stop(Outcome.EXPIRED) from error

    async def on_database(
        self, activity: ActivityContract[In, Out], argument: In, *, until: datetime | None = None
    ) -> Out:
        """A phase that only touches Postgres. Raises as ``run_local_first`` does."""
        return await run_local_first(
            activity,
            argument,
            DATABASE,
            until=until,
            interrupted=lambda: self.interrupted,
            on_trouble=self.journal.in_trouble,
        )

    async def at_gateway(self, activity: ActivityContract[In, Out], argument: In, seconds: int) -> Out:
        """A phase that calls the gateway, tried for so many seconds. Raises as ``run_regular`` does.

        As on the database there is one attempt first, so that one which fails is known here and shown to ops.
        """
        until = workflow.now() + timedelta(seconds=seconds)
        self.journal.trying(until)
        try:
            return await self._at_gateway(activity, argument, replace(GATEWAY, retry=ONCE), until)
        except DeadlineReached as trouble:
            if workflow.now() >= until:
                raise
            self.journal.in_trouble(str(trouble))
        result = await self._at_gateway(activity, argument, GATEWAY, until)
        self.journal.out_of_trouble()
        return result

    async def _at_gateway(
        self, activity: ActivityContract[In, Out], argument: In, policy: Policy, until: datetime
    ) -> Out:
        return await run_regular(activity, argument, policy, until=until, interrupted=lambda: self.interrupted)

    def failure(self, code: str, detail: str) -> Failure:
        """A failure of the phase that runs now, which is not the buyer's doing."""
        phase = self.progress.state.phase
        return Failure(code, phase, detail, at=rfc3339(workflow.now()), benign=False)
