"""Traces by OpenTelemetry: from a request through the workflow and its activities to each statement and gateway call.

Off, and not even loaded, unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` says where traces go; nothing is measured, wrapped or
sent then. What is set by OpenTelemetry's other variables (sampler, headers, the service's name) holds.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp
    import temporalio.contrib.opentelemetry
    from fastapi.telemetry import TelemetryConfig

    from checkout.runtime.spans import Spans

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_spans: "Spans | None" = None


def start_tracing(process: str) -> None:
    """Trace what this process does from now on, where the environment says where to. Call it before all else is made.

    ``process`` (``api``, ``worker``) names the service, ``checkout-api``, unless ``OTEL_SERVICE_NAME`` does.
    """
    global _spans  # noqa: PLW0603 - one for a process, as its environment is
    if any(os.environ.get(name) for name in _ENDPOINTS):
        from checkout.runtime.spans import Spans

        _spans = Spans.exported(f"checkout-{process}")


def stop_tracing() -> None:
    """Send what was not sent yet, and trace no more."""
    global _spans  # noqa: PLW0603 - as above
    if _spans is not None:
        _spans.close()
        _spans = None


def temporal_interceptors() -> "list[temporalio.contrib.opentelemetry.TracingInterceptor]":
    """What carries a trace into workflows and activities, and makes their spans."""
    return [] if _spans is None else [_spans.temporal]


def connection_options() -> dict[str, Any]:
    """What psycopg's connections are made with, so that statements inside a trace are spans of it."""
    return {} if _spans is None else {"cursor_factory": _spans.cursor_factory}


def client_traces() -> "list[aiohttp.TraceConfig]":
    """What an aiohttp session is made with, so that its calls inside a trace are spans of it and carry it on."""
    return [] if _spans is None else [_spans.client]


def request_telemetry() -> "TelemetryConfig":
    """What FastAPI is made with: it makes each request a span, of the caller's trace where that is named."""
    return {"tracing": False, "metrics": False, "logs": False} if _spans is None else _spans.requests


def trace_id() -> str | None:
    """The trace that runs now, in hexadecimal digits."""
    return None if _spans is None else _spans.trace_id()
