"""Tracing is off, and not even loaded, unless it is wanted; a span says nothing that may be personal."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import aiohttp
import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from checkout.runtime import span_sender, tracing
from checkout.runtime.database import create_sessions, engine_for, in_direct_transaction
from checkout.runtime.spans import Spans, _statement_name
from checkout.runtime.statements import Statement
from tests.support.http import serve

GENEROUS = 60

PROGRAM = """
import sys
import checkout.api.app, checkout.cli.worker_process, checkout.payments.stripe.client
from checkout.runtime import tracing
tracing.start_tracing("worker")
# FastAPI and others load OpenTelemetry's interface, which does nothing by itself.
print(*[name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
assert tracing.temporal_interceptors() == tracing.client_traces() == []
assert tracing.connection_options() == {} and tracing.trace_id() is None
assert not any(tracing.request_telemetry().values())
"""


def test_nothing_is_loaded_where_nobody_traces() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Traces of this process, kept here."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "_spans", Spans.to(exporter, "checkout-test"))
    yield exporter
    tracing.stop_tracing()


def finished(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    assert tracing._spans is not None
    tracing._spans.provider.force_flush()
    return list(exporter.get_finished_spans())


async def test_statements_inside_a_trace_are_spans_and_say_no_values(
    exporter: InMemorySpanExporter, database_url: str
) -> None:
    engine = engine_for(database_url)
    insert = Statement("INSERT INTO carts (id, session_id, currency, email) VALUES (:id, 's', 'EUR', :email)")
    given = {"id": "cart_1", "email": "ada@example.com"}

    async def twice() -> None:
        for _ in range(2):  # the second is refused
            await in_direct_transaction(create_sessions(engine), lambda session: insert.run(session, given))

    assert tracing._spans is not None
    inside = tracing._spans.provider.get_tracer("test").start_as_current_span("outside")
    with inside, pytest.raises(DBAPIError, match="pk_carts"):
        await twice()
    with pytest.raises(DBAPIError, match="pk_carts"):
        await twice()  # in no trace, no span
    await engine.dispose()

    # What SQLAlchemy asks on connecting is left aside.
    first, second, outside = (span for span in finished(exporter) if span.name in {"INSERT carts", "outside"})
    assert outside.name == "outside"
    assert first.parent == outside.get_span_context()
    assert second.attributes
    assert second.attributes["db.response.status_code"] == psycopg.errors.UniqueViolation.sqlstate
    assert "ada@example.com" not in first.to_json() + second.to_json()


async def test_a_call_carries_the_trace_on_and_its_address_is_no_attribute(exporter: InMemorySpanExporter) -> None:
    async def heard(request: Request) -> JSONResponse:
        return JSONResponse(dict(request.headers), status_code=402)

    assert tracing._spans is not None
    with serve(Starlette(routes=[Route("/payments/{id}", heard)])) as url:
        async with aiohttp.ClientSession(trace_configs=tracing.client_traces()) as session:
            with tracing._spans.provider.get_tracer("test").start_as_current_span("outside") as outside:
                async with session.get(f"{url}/payments/secret?token=secret") as answer:
                    headers = await answer.json()
                with pytest.raises(aiohttp.ClientError):
                    await session.get("http://127.0.0.1:1/secret")
            async with session.get(f"{url}/payments/secret") as answer:
                assert "traceparent" not in await answer.json()

    call, refused, _ = finished(exporter)
    context = call.get_span_context()
    assert context is not None
    assert context.trace_id == outside.get_span_context().trace_id
    assert headers["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-0")
    assert call.attributes
    assert call.attributes["http.response.status_code"] == 402
    assert not refused.status.is_ok
    assert "secret" not in call.to_json() + refused.to_json()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT ARRAY(SELECT event FROM webhook_endpoints) AS wanted, k.* FROM checkouts k FOR UPDATE", "checkouts"),
        ("WITH old AS (SELECT 1 FROM a FOR UPDATE) INSERT INTO keys SELECT * FROM old", "INSERT keys"),
        ("WITH made AS (INSERT INTO orders (id) VALUES (:id) RETURNING id) SELECT id FROM made", "INSERT orders"),
        ("WITH c AS (SELECT * FROM carts), d AS (DELETE FROM lines USING c) SELECT * FROM c", "DELETE lines"),
        ("WITH c AS (SELECT * FROM carts FOR UPDATE) SELECT n FROM unnest(:names) n JOIN c ON true", "carts"),
        ("INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET n = 1", "INSERT a"),
        ("SET lock_timeout = 1", "SQL"),
    ],
)
def test_a_statement_is_named_by_what_it_does_in_the_end(statement: str, name: str) -> None:
    """Not by the first table in it: every phase that locks its checkout would seem to read webhook endpoints."""
    assert _statement_name(statement) == (name if name == "SQL" or " " in name else f"SELECT {name}")


class Collector(SpanExporter):
    """Takes spans, takes none, or tries again and again until it is shut down."""

    def __init__(self) -> None:
        self.takes = True
        self.closed = threading.Event()
        self.tries = 0
        self.gave_up = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.tries += 1
        if not self.takes:
            self.gave_up = self.closed.wait(GENEROUS / 3)  # OpenTelemetry itself waits for half of it
        return SpanExportResult.SUCCESS if self.takes else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.closed.set()


def test_nobody_waits_for_a_collector_that_does_not_take_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_sender, "PATIENCE", 0.01)
    collector = Collector()
    spans = Spans.to(collector, "checkout-test")
    collector.takes = False
    spans.provider.get_tracer("test").start_span("lost").end()
    spans.close()
    assert (collector.tries, collector.gave_up) == (1, True)


def test_one_that_is_known_to_be_away_is_not_asked_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    sender = span_sender.SpanSender(collector)
    monkeypatch.setattr(span_sender, "PATIENCE", GENEROUS)
    patient = sender.hurry()
    patient.cancel()
    collector.takes = False
    collector.closed.set()
    sender.export([])
    assert (patient.interval, sender.hurry().interval) == (GENEROUS, 0)


def test_a_collector_that_is_away_is_said_once() -> None:
    collector = Collector()
    collector.closed.set()
    sender = span_sender.SpanSender(collector)
    with capture_logs() as said:
        for takes in (True, False, False, False, True, True, False):
            collector.takes = takes
            sender.export([])
    assert [line["event"] for line in said] == ["traces_not_sent", "traces_sent_again", "traces_not_sent"]
