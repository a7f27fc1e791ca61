"""What is kept of the attempts at a checkout's activities, for ops; nothing of it decides anything."""

from checkout.runtime.statements import Session, Statement


async def note_trouble(session: Session, checkout_id: str, activity: str, attempts: int, error: str) -> None:
    """An attempt failed, the so-manieth of its run."""
    parameters = {"checkout_id": checkout_id, "activity": activity, "attempts": attempts, "error": error}
    await _TROUBLE.run(session, parameters)


async def note_done(session: Session, checkout_id: str, activity: str, attempts: int) -> None:
    """An activity succeeded, at the so-manieth attempt of its run; of a compensation the first time counts."""
    await _DONE.run(session, {"checkout_id": checkout_id, "activity": activity, "attempts": attempts})


_TROUBLE = Statement("""
INSERT INTO checkout_steps AS s (checkout_id, activity, attempts, last_error, last_error_at)
VALUES (:checkout_id, :activity, :attempts, :error, now())
ON CONFLICT (checkout_id, activity) DO UPDATE SET attempts = GREATEST(s.attempts, excluded.attempts),
    last_error = excluded.last_error, last_error_at = excluded.last_error_at
""")
_DONE = Statement("""
INSERT INTO checkout_steps AS s (checkout_id, activity, attempts, done_at)
VALUES (:checkout_id, :activity, :attempts, now())
ON CONFLICT (checkout_id, activity) DO UPDATE SET attempts = GREATEST(s.attempts, excluded.attempts),
    done_at = COALESCE(s.done_at, excluded.done_at)
""")
