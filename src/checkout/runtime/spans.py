"""The spans of a trace. Loaded only where traces go somewhere: :mod:`checkout.runtime.tracing`.

A span says what was done and how it went: no value of a statement, no path or query of another's address, no message of
an error, since any of them may be personal.
"""

import functools
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar

import aiohttp
import psycopg
from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import TracingInterceptor

from checkout.runtime.span_sender import SpanSender

#: Baggage, which others may fill with anything, is neither read nor carried on.
PROPAGATOR = TraceContextTextMapPropagator()
#: Calls of monitors, each of them the same.
_UNTRACED = ("/health", "/metrics")
_INNER = re.compile(r"\([^()]*\)")
_VERB = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?!(?:unnest|AS)\b)(\w+)", re.IGNORECASE)
_GATHERED = re.compile(r"\b(\w+) AS \(", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(INSERT(?= INTO)|DELETE(?= FROM)|(?<!FOR )(?<!DO )UPDATE)\b(?: INTO| FROM)? (\w+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Spans:
    """What makes the spans of this process, by the libraries that they hang on."""

    provider: TracerProvider
    sender: SpanSender
    temporal: TracingInterceptor
    client: aiohttp.TraceConfig
    cursor_factory: "type[TracedCursor]"
    requests: TelemetryConfig

    @classmethod
    def exported(cls, service: str) -> "Spans":
        """Spans that are sent in batches to where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, by OTLP over HTTP."""
        return cls.to(OTLPSpanExporter(), service)

    @classmethod
    def to(cls, exporter: SpanExporter, service: str) -> "Spans":
        """Spans that are sent to an exporter."""
        resource = Resource({SERVICE_NAME: service, SERVICE_VERSION: version("durable-checkout")})
        provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()),
            span_limits=SpanLimits(max_events=0),  # the interceptor of the SDK would keep errors with their tracebacks
        )
        sender = SpanSender(exporter)
        provider.add_span_processor(BatchSpanProcessor(sender))
        tracer = provider.get_tracer("checkout")
        propagate.set_global_textmap(PROPAGATOR)
        cursor = type("TracedCursor", (TracedCursor,), {"tracer": tracer})
        requests: TelemetryConfig = {
            "tracer_provider": provider,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "exclude": lambda scope: str(scope["path"]).startswith(_UNTRACED),
        }
        temporal = TracingInterceptor(tracer)
        temporal.text_map_propagator = PROPAGATOR
        return cls(provider, sender, temporal, _client_traces(tracer), cursor, requests)

    def trace_id(self) -> str | None:
        """The trace that runs now."""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None

    def close(self) -> None:
        """Send what is left, as far as the collector takes it."""
        hurry = self.sender.hurry()
        self.provider.shutdown()
        hurry.cancel()


class TracedCursor(psycopg.AsyncCursor[Any]):
    """A cursor whose statements are spans of the trace that runs; outside of one, pollers' for example, they are none.

    The span's text is the statement's, which has names in the place of values.
    """

    tracer: ClassVar[trace.Tracer]

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Run a statement."""
        if not trace.get_current_span().is_recording():
            return await super().execute(query, params, **options)
        text = query if isinstance(query, str) else ""
        attributes = {"db.system.name": "postgresql", "db.query.text": text}
        with self.tracer.start_as_current_span(
            _statement_name(text), kind=SpanKind.CLIENT, attributes=attributes, **_QUIET
        ) as span:
            try:
                return await super().execute(query, params, **options)
            except psycopg.Error as error:
                span.set_attribute("db.response.status_code", error.sqlstate or "none")
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise


def _client_traces(tracer: trace.Tracer) -> aiohttp.TraceConfig:
    """Calls of an aiohttp session as spans of the trace that runs, which their headers carry on."""
    config = aiohttp.TraceConfig()

    async def begun(_session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        context.span = trace.INVALID_SPAN
        if not trace.get_current_span().is_recording():
            return
        attributes = {"http.request.method": params.method, "server.address": params.url.host or ""}
        context.span = tracer.start_span(params.method, kind=SpanKind.CLIENT, attributes=attributes)
        PROPAGATOR.inject(params.headers, trace.set_span_in_context(context.span))

    async def answered(_session: Any, context: Any, params: aiohttp.TraceRequestEndParams) -> None:
        context.span.set_attribute("http.response.status_code", params.response.status)
        if params.response.status >= 400:
            context.span.set_status(StatusCode.ERROR)
        context.span.end()

    async def failed(_session: Any, context: Any, params: aiohttp.TraceRequestExceptionParams) -> None:
        context.span.set_status(StatusCode.ERROR, type(params.exception).__name__)
        context.span.end()

    config.on_request_start.append(begun)
    config.on_request_end.append(answered)
    config.on_request_exception.append(failed)
    return config


@functools.lru_cache(1024)
def _statement_name(text: str) -> str:
    """A statement in two words, such as ``UPDATE checkouts``: what it does in the end, or what its parts change."""
    outer, found = text, 1
    while found:
        outer, found = _INNER.subn("", outer)
    verb, table = _VERB.search(outer), _TABLE.search(outer)
    gathered = set(_GATHERED.findall(text))
    if table is None or table[1] in gathered:
        if changes := _CHANGE.findall(text):
            return " ".join(changes[-1])
        table = next((one for one in _TABLE.finditer(text) if one[1] not in gathered), None)
    return " ".join([verb[1].upper() if verb else "SQL", *([table[1]] if table else [])])


_QUIET: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
