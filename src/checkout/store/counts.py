"""What the processes of the API count, added up by the minute: what no row tells."""

from collections.abc import Mapping
from enum import StrEnum

from checkout.runtime.statements import Session, Statement


class Counted(StrEnum):
    """What is counted."""

    LIMITED = "limited"
    STATUS_HIT = "status_hit"
    STATUS_MISS = "status_miss"


async def add(session: Session, counted: Mapping[Counted, int]) -> None:
    """Add to this minute's."""
    names = sorted(counted)  # in one order, so that no two who add wait for each other
    await _ADD.run(session, {"names": [name.value for name in names], "numbers": [counted[name] for name in names]})


async def read(session: Session, hours: int) -> dict[Counted, int]:
    """How many within the last hours; 0 where there were none."""
    rows = await _READ.rows(session, {"hours": hours})
    found = {row["name"]: int(row["number"]) for row in rows}
    return {name: found.get(name.value, 0) for name in Counted}


async def forget_old(session: Session) -> None:
    """Drop what no figure reaches back to."""
    await _FORGET_OLD.run(session, {})


_ADD = Statement("""
INSERT INTO minute_counts AS kept (name, minute, number)
SELECT given.name, date_trunc('minute', now()), given.number
FROM unnest(CAST(:names AS text[]), CAST(:numbers AS bigint[])) WITH ORDINALITY AS given (name, number, place)
ORDER BY given.place
ON CONFLICT (minute, name) DO UPDATE SET number = kept.number + excluded.number
""")

_READ = Statement("""
SELECT name, sum(number) AS number FROM minute_counts
WHERE minute > now() - make_interval(hours => CAST(:hours AS integer))
GROUP BY name
""")

_FORGET_OLD = Statement("""
DELETE FROM minute_counts WHERE (minute, name) IN (
    SELECT minute, name FROM minute_counts WHERE minute < now() - interval '8 days'
    ORDER BY minute LIMIT 10000 FOR UPDATE SKIP LOCKED
)
""")
