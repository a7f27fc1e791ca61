"""What ops' lists and figures cost the database once there are a million checkouts, and by which plans."""

import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.report import Report, spread
from checkout.domain.words import Phase, State
from checkout.runtime.database import engine_for
from checkout.runtime.embedded.postgres import EmbeddedPostgres
from checkout.store import gone
from checkout.store import statistics as figures
from checkout.store.listing import Filter, listing
from checkout.store.migrate import upgrade
from checkout.store.stuck import PARAMETERS, Patience

ROWS = 1_000_000
ACTIVE = 10_000
DAYS = 90
ROUNDS = 5
PATIENCE = Patience(overdue_after=60, stuck_after=1800)
DATABASE = "million"

# Without triggers and foreign keys: carts and notifications are nothing that these queries see.
_FILL = f"""
SET session_replication_role = replica;
INSERT INTO checkouts (id, cart_id, session_id, customer_id, workflow_id, run_id, state, phase, locked_at, created_at,
    updated_at, expires_at, currency, total, results, failure, completed_at, failed_at)
SELECT 'chk_' || n, 'cart_' || n, 'ses_' || n % 700000, CASE WHEN n % 3 = 0 THEN 'customer_' || n % 90000 END,
    'checkout-cart_' || n, md5(n::text), state,
    CASE state WHEN 'completed' THEN 'stock_commit' ELSE phase END,
    at, at, at + interval '1 minute', at + interval '15 minutes', 'EUR', n % 20000,
    jsonb_build_object('price_lock', jsonb_build_object('total', n, 'currency', 'EUR', 'version', 4)),
    CASE WHEN state = 'failed'
        THEN jsonb_build_object('code', 'card_declined', 'phase', phase, 'benign', n % 5 > 0) END,
    CASE WHEN state = 'completed' THEN at + make_interval(secs => 20 + n % 500) END,
    CASE WHEN state IN ('failed', 'expired', 'cancelled') THEN at + interval '15 minutes' END
FROM (
    SELECT n, phases[n % 7 + 1] AS phase,
        CASE WHEN n <= {ACTIVE} THEN now() - n * interval '0.05 seconds'
            ELSE now() - interval '20 minutes' - (n - {ACTIVE}) * (interval '{DAYS} days' / {ROWS}) END AS at,
        CASE WHEN n <= {ACTIVE} THEN (ARRAY['awaiting_payment', 'awaiting_payment', 'requires_action', 'capturing'])
                [n % 4 + 1]
            WHEN n % 100 < 60 THEN 'completed' WHEN n % 100 < 90 THEN 'expired' WHEN n % 100 < 96 THEN 'failed'
            ELSE 'cancelled' END AS state
    FROM generate_series(1, {ROWS}) n, (SELECT CAST(:phases AS text[]) AS phases) AS words
) rows;
"""  # noqa: S608 - numbers of ours


@dataclass(frozen=True)
class Query:
    """A statement of the store with its parameters."""

    name: str
    statement: Any
    parameters: Mapping[str, Any]

    @property
    def explained(self) -> Any:
        """EXPLAIN of it, with what it really took."""
        clause = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {self.statement.text}")
        return clause.bindparams(*PARAMETERS) if ":stuck_after" in self.statement.text else clause


def queries(now: datetime) -> list[Query]:
    """Each kind of page, and each figure."""
    pages = {
        "list: all": Filter(),
        "list: state=completed": Filter(state=State.COMPLETED),
        "list: state=failed": Filter(state=State.FAILED),
        "list: state=awaiting_payment": Filter(state=State.AWAITING_PAYMENT),
        "list: phase=payment_capture": Filter(phase=Phase.PAYMENT_CAPTURE),
        "list: state=failed, phase=price_lock": Filter(State.FAILED, Phase.PRICE_LOCK),
        "list: stuck": Filter(stuck=True),
        "list: a customer": Filter(customer_id="customer_3"),
        "list: state=expired on a day a month ago": Filter(
            State.EXPIRED, None, None, now - timedelta(days=31), now - timedelta(days=30)
        ),
    }
    found = [Query(name, *listing(wanted, PATIENCE, after=None, limit=51)) for name, wanted in pages.items()]
    deep = (now - timedelta(days=80), "chk_5")
    found.append(Query("list: all, 880,000 rows down", *listing(Filter(), PATIENCE, after=deep, limit=51)))
    for hours in (24, 168):
        found.append(Query(f"statistics: ended within {hours} h", figures.ENDED, {"hours": hours}))
        found.append(Query(f"statistics: durations within {hours} h", figures.DURATION, {"hours": hours}))
    found.append(Query("statistics: active by state", figures.ACTIVE, {}))
    found.append(Query("health: overdue and stuck", figures.STUCK, PATIENCE.parameters))
    page = {"grace": timedelta(seconds=30), "limit": 1000}
    found.append(Query("audit: the oldest 1000 that are open", gone.FIRST, page))
    after = {"after_at": now - timedelta(seconds=ACTIVE * 0.05 / 2), "after_id": ""}
    found.append(Query("audit: 1000 in the middle of them", gone.NEXT, {**page, **after}))
    return found


def measure_million(directory: Path, report: Report, plans: Path | None) -> None:
    """Milliseconds of each query over a million checkouts, in the database; their plans go to the file ``plans``."""
    report.title(f"{ROWS:,} checkouts, {ACTIVE:,} of them active (aim: under 100 ms each)")
    postgres = EmbeddedPostgres(directory / "postgres-million", log=directory / "postgres-million.log")
    postgres.start()
    try:
        postgres.wait_ready()
        postgres.ensure_database(DATABASE)
        uri = postgres.uri(DATABASE)
        upgrade(uri)
        chapters = asyncio.run(_measure(uri, report))
    finally:
        postgres.stop()
    if plans is not None:
        plans.write_text(_PAGE + "\n".join(chapters), encoding="utf-8")


async def _measure(uri: str, report: Report) -> list[str]:
    """The chapters of the page."""
    engine = engine_for(uri, application_name="bench")
    chapters = []
    try:
        async with engine.connect() as pooled:
            connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
            began = time.perf_counter()
            await _fill(connection)
            report.note(f"made in {time.perf_counter() - began:.0f} s")
            for query in queries(datetime.now(UTC)):
                took, plan = await _explain(connection, query)
                report.line(query.name, spread(took, "ms", 2), **{f"million: {query.name}": statistics.median(took)})
                chapters.append(_chapter(query, took, plan))
    finally:
        await engine.dispose()
    return chapters


async def _fill(connection: AsyncConnection) -> None:
    setting, insert = _FILL.strip().removesuffix(";").split(";\n")
    await connection.execute(text(setting))
    await connection.execute(text(insert), {"phases": [str(phase) for phase in Phase]})
    await connection.execute(text("VACUUM ANALYZE checkouts"))


async def _explain(connection: AsyncConnection, query: Query) -> tuple[list[float], list[str]]:
    """Milliseconds of each round, planning included, and the last round's plan as lines."""
    took = []
    for _ in range(ROUNDS):
        [found] = (await connection.execute(query.explained, query.parameters)).scalar_one()
        took.append(found["Planning Time"] + found["Execution Time"])
    return took, _lines(found["Plan"])


def _lines(node: Mapping[str, Any], depth: int = 0) -> list[str]:
    """A plan for people: what is done, by which index, how many rows, how many pages."""
    of = node.get("Index Name") or node.get("Relation Name") or ""
    blocks = node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0)
    line = f"{'  ' * depth}{node['Node Type']}{f' {of}' if of else ''}: {node['Actual Rows']:.0f} rows, {blocks} pages"
    if "Heap Fetches" in node:
        line += f", {node['Heap Fetches']} heap fetches"
    details = [f"{'  ' * (depth + 1)}{name}: {node[name]}" for name in ("Index Cond", "Filter") if name in node]
    below = [line for child in node.get("Plans", ()) for line in _lines(child, depth + 1)]
    return [line, *(" ".join(detail.rsplit("\n")) for detail in details), *below]


def _chapter(query: Query, took: list[float], plan: list[str]) -> str:
    shown = "\n".join(line if len(line) <= 160 else f"{line[:157]}…" for line in plan)
    return f"## {query.name[0].upper()}{query.name[1:]}\n\n{spread(took, 'ms', 2)}\n\n```\n{shown}\n```\n"


_PAGE = f"""# What ops' queries cost

Each query of [the admin API](admin.md), and of [the audit](terminated.md), over {ROWS:,} checkouts of
{DAYS} days, {ACTIVE:,} of them active: minimum,
median and maximum of {ROUNDS} runs in the database, planning included, and the plan with what it really read. Made by
`python -m bench million --plans docs/operate/queries.md`.

Lists find their page by an index and stop there; a filter that spans running and closed checkouts is a union of such
pages. Figures read an index over what ended since, without the table, so that they cost by what ended within the hours.
What runs now is few, and is read whole.

"""
