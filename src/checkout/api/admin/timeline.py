"""How a checkout went, made of its rows, and, for what is not done yet, of what Temporal says now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from checkout.api.models import admin_checkout as models
from checkout.domain.contract import CHECK_OF, COMPENSATION_OF, EVERY_ACTIVITY
from checkout.domain.words import AT_REST, Phase, State
from checkout.store.inspecting import AttemptRecord, EnteredState, Inspected, StepRecord

_PHASE_OF = {str(compensation.name): phase for phase, compensation in COMPENSATION_OF.items()}
_KNOWN = frozenset(str(one.name) for one in EVERY_ACTIVITY)


def timeline(
    found: Inspected, failed_phase: str | None, pending: Sequence[models.PendingActivity] | None, now: datetime
) -> models.Timeline:
    """Everything, the oldest first.

    ``failed_phase`` is the failure's, None where there is none; ``pending`` is None where Temporal does not say.
    """
    steps = {step.activity: step for step in found.steps}
    waiting = {one.activity: one for one in pending or () if one.activity in _KNOWN}
    return models.Timeline(
        states=_visits(found.entered),
        phases=[
            _phase(phase, found.entered, failed_phase, _work(phase, steps, waiting), now)
            for phase in Phase
            if any(one.state.phase is phase for one in found.entered)
        ],
        payments=[_payment(attempt) for attempt in found.attempts],
        compensations=_compensations(found.steps, waiting, told=pending is not None),
    )


def _visits(entered: Sequence[EnteredState]) -> list[models.Visit]:
    return [
        models.Visit(
            state=one.state,
            state_name=one.state.label,
            at=one.at,
            seconds=None if end is None else _seconds(one.at, end),
        )
        for one, end in _stays(entered)
    ]


def _stays(entered: Sequence[EnteredState]) -> list[tuple[EnteredState, datetime | None]]:
    """Each state with when it was left, None for the last."""
    return [*((one, following.at) for one, following in pairwise(entered)), *((one, None) for one in entered[-1:])]


#: Attempts, and the last error.
_Work = tuple[int, str | None]


def _work(phase: Phase, steps: Mapping[str, StepRecord], pending: Mapping[str, models.PendingActivity]) -> _Work:
    attempts, error = 1, None
    for activity in (str(phase), *([CHECK_OF[phase].name] if phase in CHECK_OF else [])):
        of_one, its_error = _attempts(activity, steps, pending)
        attempts, error = max(attempts, of_one), its_error or error
    return attempts, error


def _attempts(activity: str, steps: Mapping[str, StepRecord], pending: Mapping[str, models.PendingActivity]) -> _Work:
    step, now = steps.get(activity), pending.get(activity)
    attempts = 1 if step is None else step.attempts
    error = None if step is None else step.last_error
    if now is not None:
        attempts = max(attempts, now.attempt if now.running else now.attempt - 1)
        error = now.last_failure or error
    return attempts, error


def _phase(
    phase: Phase, entered: Sequence[EnteredState], failed_phase: str | None, work: _Work, now: datetime
) -> models.PhaseShown:
    stays = [(one, end) for one, end in _stays(entered) if one.state.phase is phase]
    began_at, ended_at = stays[0][0].at, stays[-1][1]
    return models.PhaseShown(
        phase=phase,
        outcome=_outcome(phase, ended_at, entered, failed_phase),
        began_at=began_at,
        ended_at=ended_at,
        seconds=None if ended_at is None else _seconds(began_at, ended_at),
        waited_seconds=sum(_seconds(one.at, end or now) for one, end in stays if one.state in AT_REST),
        attempts=work[0],
        last_error=work[1],
    )


def _outcome(
    phase: Phase, ended_at: datetime | None, entered: Sequence[EnteredState], failed_phase: str | None
) -> Literal["running", "done", "failed", "stopped"]:
    if ended_at is None:
        return "running"
    following = next(one.state for one in entered if one.at == ended_at)
    if following is State.COMPENSATING:
        return "failed" if failed_phase == phase else "stopped"
    return "done"


def _payment(attempt: AttemptRecord) -> models.PaymentShown:
    return models.PaymentShown(
        id=attempt.id,
        number=attempt.number,
        method=attempt.method,
        gateway=attempt.gateway,
        gateway_reference=attempt.gateway_payment_id,
        status=attempt.status,
        amount=attempt.amount,
        currency=attempt.currency,
        authorized=attempt.authorized,
        captured=attempt.captured,
        refunded=attempt.refunded,
        code=attempt.code,
        message=attempt.message,
        by_hand=None if attempt.by_hand is None else dict(attempt.by_hand),
        gateway_code=attempt.gateway_code,
        gateway_detail=attempt.gateway_detail,
        created_at=attempt.created_at,
        updated_at=attempt.updated_at,
    )


def _compensations(
    steps: Sequence[StepRecord], pending: Mapping[str, models.PendingActivity], *, told: bool
) -> list[models.CompensationShown]:
    begun = {step.activity: step for step in steps if step.activity in _PHASE_OF}
    names = [*begun, *(name for name in pending if name in _PHASE_OF and name not in begun)]
    shown = []
    for name in names:
        step = begun.get(name)
        attempts, error = _attempts(name, begun, pending)
        done = step is not None and step.done_at is not None
        shown.append(
            models.CompensationShown(
                compensation=name,
                phase=_PHASE_OF[name],
                done=done,
                # Neither done nor tried now: the workflow pauses before it tries again.
                refused=told and not done and name not in pending,
                done_at=None if step is None else step.done_at,
                attempts=attempts,
                last_error=error,
                last_error_at=None if step is None else step.last_error_at,
            )
        )
    return shown


def _seconds(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds(), 3)
