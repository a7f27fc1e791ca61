"""Outgoing webhooks as workers send them: who wants an event, what is sent, and what came of it."""

from dataclasses import dataclass
from datetime import timedelta

from checkout.domain.events import Event
from checkout.domain.webhooks import delivery_id
from checkout.runtime.outgoing import Answered
from checkout.runtime.statements import Session, Statement


@dataclass(frozen=True)
class Sending:
    """A delivery that is to be made: where, what, signed by which secrets."""

    url: str
    event_id: str
    event: str
    checkout_id: str
    body: str
    secrets: list[str]


async def plan(session: Session, event: Event, body: str) -> list[str]:
    """Keep a delivery of the event for each endpoint that wants it; the ids of all there are, also of before."""
    parameters = {"event": event.NAME, "event_id": event.id}
    for endpoint in await _WANTING.rows(session, parameters):
        await _PLAN.run(
            session,
            {
                **parameters,
                "id": delivery_id(endpoint["id"], event.id),
                "endpoint_id": endpoint["id"],
                "checkout_id": event.checkout_id,
                "body": body,
            },
        )
    return [row["id"] for row in await _PLANNED.rows(session, parameters)]


async def forget_old(session: Session, kept: timedelta) -> None:
    """Drop deliveries that have ended so long ago, or whose workflow is gone since; some at a time: more than a new
    event makes.
    """
    await _FORGET_OLD.run(session, {"kept": kept})


async def sending(session: Session, delivery: str) -> Sending | str:
    """The delivery as it is to be made, or why not: ``delivered``, ``disabled``, ``deleted``."""
    row = await _SENDING.row(session, {"id": delivery})
    if row is None:
        return "deleted"
    if row["status"] == "delivered":
        return "delivered"
    if not row["enabled"]:
        return "disabled"
    fields = ("url", "event_id", "event", "checkout_id", "body", "secrets")
    return Sending(**{name: row[name] for name in fields})


async def note_delivered(session: Session, delivery: str, answer: Answered) -> None:
    """The receiver took it."""
    await _ATTEMPT.run(session, _attempt(delivery, answer))
    await _DELIVERED.run(session, {"id": delivery})


async def note_failed(session: Session, delivery: str, answer: Answered | None, error: str, pause: int) -> None:
    """The receiver did not take it; it is tried again after so many seconds."""
    await _ATTEMPT.run(session, {**_attempt(delivery, answer), "error": error})
    await _FAILED.run(session, {"id": delivery, "pause": pause})


@dataclass(frozen=True)
class Ended:
    """A delivery that is not made; ``silent``: nothing has reached the endpoint since this one began to fail."""

    endpoint_id: str
    event: str
    checkout_id: str
    silent: bool


async def give_up(session: Session, delivery: str) -> Ended | None:
    """The delivery is not made. None where it was made after all, or is gone."""
    row = await _GIVE_UP.row(session, {"id": delivery})
    return None if row is None else Ended(**row)


async def disable(session: Session, endpoint_id: str, reason: str) -> bool:
    """Send nothing there any more; False where that is so already."""
    return bool(await _DISABLE.rows(session, {"id": endpoint_id, "reason": reason}))


async def count_behind(session: Session, seconds: int) -> tuple[int, int, int]:
    """Listeners and deliveries that have failed for longer than that and are still tried, and disabled endpoints."""
    row = await _BEHIND.row(session, {"seconds": seconds})
    assert row is not None  # noqa: S101 - figures are always one row
    return int(row["listeners"]), int(row["deliveries"]), int(row["disabled"])


def _attempt(delivery: str, answer: Answered | None) -> dict[str, object]:
    return {
        "id": delivery,
        "status": answer.status if answer else None,
        "milliseconds": answer.milliseconds if answer else None,
        "response": answer.excerpt if answer else None,
        "error": None,
    }


#: An expression: the events that endpoints want, ``*`` where one wants all. Phases look while they lock their checkout,
#: so that the question costs no statement of its own.
WANTED = """ARRAY(
    SELECT DISTINCT event
    FROM webhook_endpoints w, unnest(CASE w.events WHEN '{}' THEN ARRAY['*'] ELSE w.events END) event
    WHERE w.enabled
)"""
_WANTING = Statement("""
SELECT id FROM webhook_endpoints WHERE enabled AND (events = '{}' OR :event = ANY (events)) ORDER BY id
""")
_PLANNED = Statement("SELECT id FROM webhook_deliveries WHERE event_id = :event_id ORDER BY id")
_PLAN = Statement("""
INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event, checkout_id, body)
SELECT :id, e.id, :event_id, :event, :checkout_id, :body FROM webhook_endpoints e WHERE e.id = :endpoint_id
ON CONFLICT DO NOTHING
""")
_FORGET_OLD = Statement("""
WITH ended AS (
    SELECT id FROM webhook_deliveries WHERE ended_at < now() - CAST(:kept AS interval)
    ORDER BY ended_at LIMIT 100 FOR UPDATE SKIP LOCKED
), orphaned AS (
    SELECT id FROM webhook_deliveries WHERE status = 'pending' AND failing_since < now() - CAST(:kept AS interval)
    ORDER BY failing_since LIMIT 100 FOR UPDATE SKIP LOCKED
)
DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM ended UNION ALL SELECT id FROM orphaned)
""")
_SENDING = Statement("""
SELECT d.event_id, d.event, d.checkout_id, d.body, d.status, e.url, e.enabled,
    ARRAY[e.secret] || CASE WHEN e.previous_until > now() THEN ARRAY[e.previous_secret] ELSE '{}' END AS secrets
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id WHERE d.id = :id
""")
_ATTEMPT = Statement("""
WITH numbered AS (UPDATE webhook_deliveries SET attempts = attempts + 1 WHERE id = :id RETURNING id, attempts)
INSERT INTO webhook_attempts (delivery_id, number, status, milliseconds, response, error)
SELECT id, attempts, CAST(:status AS integer), CAST(:milliseconds AS integer), :response, :error FROM numbered
""")
_DELIVERED = Statement("""
WITH done AS (
    UPDATE webhook_deliveries SET status = 'delivered', ended_at = now(), next_try_at = NULL, failing_since = NULL
    WHERE id = :id RETURNING endpoint_id
)
UPDATE webhook_endpoints e SET failing_since = NULL FROM done
WHERE e.id = done.endpoint_id AND e.failing_since IS NOT NULL
""")
_FAILED = Statement("""
WITH failing AS (
    UPDATE webhook_deliveries SET failing_since = COALESCE(failing_since, now()),
        next_try_at = now() + make_interval(secs => CAST(:pause AS integer))
    WHERE id = :id AND status = 'pending' RETURNING endpoint_id
)
UPDATE webhook_endpoints e SET failing_since = now() FROM failing
WHERE e.id = failing.endpoint_id AND e.failing_since IS NULL
""")
_GIVE_UP = Statement("""
UPDATE webhook_deliveries d SET status = 'failed', ended_at = now(), next_try_at = NULL FROM webhook_endpoints e
WHERE d.id = :id AND d.status <> 'delivered' AND e.id = d.endpoint_id
RETURNING e.id AS endpoint_id, d.event, d.checkout_id, COALESCE(e.failing_since <= d.failing_since, false) AS silent
""")
_DISABLE = Statement("""
UPDATE webhook_endpoints SET enabled = false, disabled_reason = :reason, updated_at = now() WHERE id = :id AND enabled
RETURNING id
""")
# All are given up after three days: what failed for longer is no backlog any more, its workflow has failed or is gone.
_BEHIND = Statement("""
SELECT (SELECT count(*) FROM listener_troubles
        WHERE failing_since > now() - interval '74 hours'
            AND failing_since < now() - make_interval(secs => :seconds)) AS listeners,
    (SELECT count(*) FROM webhook_deliveries
        WHERE status = 'pending' AND failing_since > now() - interval '74 hours'
            AND failing_since < now() - make_interval(secs => :seconds)) AS deliveries,
    (SELECT count(*) FROM webhook_endpoints WHERE NOT enabled AND disabled_reason IS NOT NULL) AS disabled
""")
