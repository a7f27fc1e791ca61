"""Tracing is off, and not even loaded, unless it is wanted; a span says nothing that may be personal."""

import subprocess
import sys
from collections.abc import Iterator

import aiohttp
import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from checkout.runtime import tracing
from checkout.runtime.database import create_sessions, engine_for, in_direct_transaction
from checkout.runtime.spans import Spans
from checkout.runtime.statements import Statement
from tests.support.http import serve

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
