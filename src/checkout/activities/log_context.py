"""Log lines of an activity say which checkout it is about, and which attempt at what this is."""

from collections.abc import Mapping
from typing import Any

from temporalio import activity

from checkout.domain import contract as c
from checkout.domain.events import CheckoutCompleted, CheckoutFailed, CheckoutStarted, OrderPlaced, Telling
from checkout.domain.words import Phase
from checkout.runtime.log_context import about_checkout, remember_run

#: The phase that an activity does, undoes, or belongs to.
_PHASE_OF = {
    **{phase.value: phase for phase in Phase},
    **{compensation.name: phase for phase, compensation in c.COMPENSATION_OF.items()},
    **{check.name: phase for phase, check in c.CHECK_OF.items()},
}
#: The phase that brings an event about, of which others are told; a failure has its own, or else was undone to the end.
_PHASE_OF_EVENT = {
    CheckoutStarted.NAME: Phase.CART_VALIDATION,
    OrderPlaced.NAME: Phase.ORDER_CREATION,
    CheckoutCompleted.NAME: Phase.STOCK_COMMIT,
    CheckoutFailed.NAME: Phase.CART_VALIDATION,
}


def say_what_runs(contract: c.ActivityContract[Any, Any], given: object) -> None:
    """Bind it. An activity is a task of its own: it ends with that, and the SDK's lines about it have it too."""
    if isinstance(given, Telling):
        say_what_is_told(contract, given.event, given.facts)
        return
    checkout_id = getattr(given, "checkout_id", None)
    if isinstance(checkout_id, str):
        _say(contract, checkout_id, _PHASE_OF.get(contract.name))


def say_what_is_told(contract: c.ActivityContract[Any, Any], event: str, facts: Mapping[str, Any]) -> None:
    """The same of one that tells others of an event."""
    phase = facts.get("phase") or _PHASE_OF_EVENT.get(event)
    _say(contract, str(facts["checkout_id"]), None if phase is None else Phase(phase))


def _say(contract: c.ActivityContract[Any, Any], checkout_id: str, phase: Phase | None) -> None:
    info = activity.info()
    if phase is not None and info.workflow_run_id is not None:
        remember_run(info.workflow_run_id, phase=phase.value)
    about_checkout(
        checkout_id,
        workflow_id=info.workflow_id,
        run_id=info.workflow_run_id,
        activity=str(contract.name),
        attempt=info.attempt,
        **({} if phase is None else {"phase": phase.value}),
    )
