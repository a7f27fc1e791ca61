"""What log lines are about: ids that are bound once and then stand on every line that follows in the same task.

They are ids of ours alone, never what a buyer entered.
"""

import re
import threading
from typing import Any

import structlog
from cachetools import LRUCache

from checkout.domain.ids import cart_of, workflow_id

_CHECKOUT_WORKFLOW = re.compile(r"checkout-(cart_[0-9a-z]+)")
#: Workflows beside a checkout's own, which tell of it or repair it, have its id in theirs.
_BESIDE = re.compile(r".*-(chk_[0-9a-z]+_[0-9a-z]+)")

#: What lines about a run say, by its id: of more runs than a worker keeps in memory. Several threads write lines.
_runs: LRUCache[str, dict[str, str]] = LRUCache(10_000)
_lock = threading.Lock()


def about_checkout(checkout_id: str, **also: Any) -> None:
    """From here on lines are about this checkout: its cart and its workflow follow from its id."""
    cart_id = cart_of(checkout_id)
    if cart_id is not None:
        about_cart(cart_id)
    structlog.contextvars.bind_contextvars(checkout_id=checkout_id, **also)


def about_cart(cart_id: str) -> None:
    """From here on lines are about this cart, and the workflow that its checkouts share."""
    structlog.contextvars.bind_contextvars(cart_id=cart_id, workflow_id=workflow_id(cart_id))


def remember_run(run_id: str, **fields: str) -> None:
    """Lines of the Temporal SDK about this run say this, and what was remembered of it before."""
    with _lock:
        _runs[run_id] = _runs.get(run_id, {}) | fields


def about_nothing() -> None:
    """From here on lines are about nothing that was bound before."""
    structlog.contextvars.clear_contextvars()


def of_temporal(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """A processor: what the Temporal SDK says in structures of its own, in the fields that our lines have."""
    said = event.pop("temporal_activity", None) or event.pop("temporal_workflow", None)
    if isinstance(said, dict):
        for theirs, ours in _FIELDS.items():
            if said.get(theirs) is not None:
                event.setdefault(ours, said[theirs])
    event.pop("__temporal_error_identifier", None)
    core = event.pop("temporal_log", None)
    if core is not None:
        for name, value in core.fields.items():
            event.setdefault(name, str(value))
    if isinstance(said, dict) or core is not None:
        _name_checkout(event)
    return event


def _name_checkout(event: structlog.types.EventDict) -> None:
    with _lock:
        remembered = _runs.get(str(event.get("run_id")), {})
    for name, value in remembered.items():
        event.setdefault(name, value)
    workflow = str(event.get("workflow_id", ""))
    if beside := _BESIDE.fullmatch(workflow):
        event.setdefault("checkout_id", beside[1])
    if checkout_id := event.get("checkout_id"):
        event.setdefault("cart_id", cart_of(checkout_id))
    elif cart := _CHECKOUT_WORKFLOW.fullmatch(workflow):
        event.setdefault("cart_id", cart[1])


_FIELDS = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "run_id": "run_id",
    "workflow_type": "workflow",
    "activity_type": "activity",
    "attempt": "attempt",
}
