"""Listeners that have not heard of an event yet, as workers keep them for ops: which, how often, and why not.

How many are behind is counted with the webhooks that are (``store/webhooks.py``).
"""

from checkout.domain.events import Event
from checkout.runtime.statements import Session, Statement


async def note(session: Session, delivery: str, *, listener: str, event: Event, attempts: int, error: str) -> None:
    """A listener did not hear at this attempt. What others have not heard for a week they never will."""
    await _FORGET_TROUBLES.run(session, {})
    parameters = {"event": event.NAME, "checkout_id": event.checkout_id, "attempts": attempts, "error": error}
    await _TROUBLE.run(session, {"id": delivery, "listener": listener, **parameters})


async def end(session: Session, delivery: str) -> None:
    """It heard at last, or gave up."""
    await _END_TROUBLE.run(session, {"id": delivery})


_TROUBLE = Statement("""
INSERT INTO listener_troubles AS t (delivery_id, listener, event, checkout_id, attempts, error)
VALUES (:id, :listener, :event, :checkout_id, :attempts, :error)
ON CONFLICT (delivery_id) DO UPDATE SET attempts = excluded.attempts, error = excluded.error
""")
_FORGET_TROUBLES = Statement("""
DELETE FROM listener_troubles WHERE delivery_id IN (
    SELECT delivery_id FROM listener_troubles WHERE failing_since < now() - interval '7 days'
    ORDER BY failing_since LIMIT 100 FOR UPDATE SKIP LOCKED
)
""")
_END_TROUBLE = Statement("DELETE FROM listener_troubles WHERE delivery_id = :id")
