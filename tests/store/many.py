"""Many checkouts at once, written by one statement: for what lists and counts them."""

from datetime import UTC, datetime

from sqlalchemy import text

from checkout.domain.words import Phase
from checkout.runtime.database import Sessions

#: Each state with the phases that it can show; ages and owners differ by row.
_SHOP = """
INSERT INTO carts (id, session_id, currency) SELECT 'c' || n, 's', 'EUR' FROM generate_series(1, :rows) n;
INSERT INTO checkouts (id, cart_id, session_id, customer_id, workflow_id, run_id, state, phase, locked_at, created_at,
    updated_at, expires_at, total, currency, failure, completed_at, failed_at)
SELECT 'k' || n, 'c' || n, 's', CASE WHEN n % 3 = 0 THEN 'u' || n % 6 END, 'w' || n, 'r' || n, state,
    CASE state WHEN 'completed' THEN 'stock_commit' ELSE phases[n % 7 + 1] END, at, at, at,
    at + interval '15 minutes', n, 'EUR',
    CASE WHEN state = 'failed' THEN jsonb_build_object('code', 'empty_cart', 'benign', n % 2 = 0) END,
    CASE WHEN state = 'completed' THEN at END,
    CASE WHEN state IN ('failed', 'expired', 'cancelled') THEN at END
FROM (
    SELECT n, states[n % array_length(states, 1) + 1] AS state,
        CAST(:now AS timestamptz) - make_interval(mins => n * :step) AS at, phases
    FROM generate_series(1, :rows) n,
        (SELECT CAST(:states AS text[]) AS states, CAST(:phases AS text[]) AS phases) AS words
) rows;
"""


async def fill(sessions: Sessions, rows: int, states: list[str], step: int) -> None:
    """So many checkouts, one cart each, every ``step`` minutes into the past."""
    now = datetime.now(UTC)  # of this call: ages that a query reads are those that the rows were given
    given = {"rows": rows, "states": states, "phases": [str(one) for one in Phase], "now": now, "step": step}
    async with sessions() as session, session.begin():
        for statement in _SHOP.split(";\n"):
            if statement.strip():
                wanted = {name: value for name, value in given.items() if f":{name}" in statement}
                await session.execute(text(statement), wanted)
