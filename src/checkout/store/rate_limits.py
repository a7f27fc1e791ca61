"""Moving windows of what was let through, counted by the database's clock for all processes together.

Each statement is a transaction by itself, so a window is locked for as long as its row is written.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from checkout.runtime.statements import Session, Statement


@dataclass(frozen=True)
class Window:
    """How many were let through within it, and how many seconds ago the oldest of them, 0 where there is none."""

    count: int
    age: float


async def acquire(session: Session, key: str, *, limit: int, window: int, amount: int = 1) -> bool:
    """Let ``amount`` more through where no more than ``limit`` are within the last ``window`` seconds then.

    What is refused counts for nothing.
    """
    parameters = {**_window(key, window), "limit": limit, "amount": amount}
    return await _ACQUIRE.row(session, parameters) is not None


async def read_window(session: Session, key: str, window: int) -> Window:
    """What counts now."""
    row = await _READ.row(session, _window(key, window))
    return Window(0, 0) if row is None else Window(int(row["number"]), float(row["age"] or 0))


async def forget_old(session: Session) -> None:
    """Drop rows that count for nothing; those that somebody is just writing stay for the next time."""
    await _FORGET_OLD.run(session, {})


async def forget(session: Session, key: str | None) -> int:
    """Drop a key's row, or all rows; gives how many."""
    return int(await _FORGET.value(session, {"key": key}))


def _window(key: str, window: int) -> dict[str, Any]:
    return {"key": key, "window": timedelta(seconds=window)}


_RECENT = "FROM unnest(kept.hits) AS hit WHERE hit > now() - CAST(:window AS interval)"

# The row that a conflict meets is locked and current, so those who come at once are counted one after the other.
_ACQUIRE = Statement(f"""
INSERT INTO rate_limit_hits AS kept (key, hits, expires_at)
SELECT :key, array_fill(now(), ARRAY[CAST(:amount AS integer)]), now() + CAST(:window AS interval)
WHERE CAST(:amount AS integer) <= :limit
ON CONFLICT (key) DO UPDATE SET
    hits = ARRAY(SELECT hit {_RECENT}) || excluded.hits,
    expires_at = excluded.expires_at
WHERE (SELECT count(*) {_RECENT}) + CAST(:amount AS integer) <= :limit
RETURNING key
""")

_READ = Statement(f"""
SELECT (SELECT count(*) {_RECENT}) AS number,
    CAST((SELECT EXTRACT(epoch FROM now() - min(hit)) {_RECENT}) AS double precision) AS age
FROM rate_limit_hits AS kept WHERE key = :key
""")  # noqa: S608 - fixed words

_FORGET_OLD = Statement("""
DELETE FROM rate_limit_hits WHERE key IN (
    SELECT key FROM rate_limit_hits WHERE expires_at < now() ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED
)
""")

_FORGET = Statement("""
WITH gone AS (DELETE FROM rate_limit_hits WHERE CAST(:key AS text) IS NULL OR key = :key RETURNING 1)
SELECT count(*) FROM gone
""")
