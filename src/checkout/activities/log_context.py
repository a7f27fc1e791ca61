"""Log lines of an activity say which checkout it is about, and which attempt at what this is."""

from typing import Any

from temporalio import activity

from checkout.domain import contract as c
from checkout.domain.events import Telling
from checkout.domain.words import Phase
from checkout.runtime.log_context import about_checkout

#: The phase that an activity does, undoes, or belongs to.
_PHASE_OF = {
    **{phase.value: phase for phase in Phase},
    **{compensation.name: phase for phase, compensation in c.COMPENSATION_OF.items()},
    **{check.name: phase for phase, check in c.CHECK_OF.items()},
}


def say_what_runs(contract: c.ActivityContract[Any, Any], given: object) -> None:
    """Bind it. An activity is a task of its own: it ends with that, and the SDK's lines about it have it too."""
    checkout_id = given.facts.get("checkout_id") if isinstance(given, Telling) else getattr(given, "checkout_id", None)
    if not isinstance(checkout_id, str):
        return
    say_what_is_about(checkout_id, contract)


def say_what_is_about(checkout_id: str, contract: c.ActivityContract[Any, Any]) -> None:
    """The same, for one that finds out by itself which checkout it is about."""
    info, phase = activity.info(), _PHASE_OF.get(contract.name)
    about_checkout(
        checkout_id,
        workflow_id=info.workflow_id,
        run_id=info.workflow_run_id,
        activity=str(contract.name),
        attempt=info.attempt,
        **({} if phase is None else {"phase": phase.value}),
    )
