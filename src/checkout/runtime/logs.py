"""Log lines: one JSON object each for machines, or coloured text for people, from structlog and from every library."""

import logging
import logging.config
import sys
from typing import Any

import structlog

from checkout.runtime.log_context import of_temporal
from checkout.runtime.log_errors import as_document, as_text
from checkout.runtime.settings import Settings
from checkout.runtime.tracing import trace_id

#: Libraries that say at INFO what nobody asked for; Stripe's at DEBUG also what is sent, payment methods included; and
#: OpenTelemetry's, while a collector is away, four lines at each try: what counts of it is said by ``SpanSender``.
_QUIETER = {
    **dict.fromkeys(("uvicorn.access", "alembic", "httpx", "stripe"), "WARNING"),
    **dict.fromkeys(("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"), "CRITICAL"),
}

_TRACEBACKS = structlog.processors.ExceptionRenderer(as_document)


def configure_logs(settings: Settings, *, process: str) -> None:
    """Send all log lines of this process to standard error, as ``LOG_FORMAT`` and ``LOG_LEVEL`` say.

    Each line carries ``process`` (``api``, ``worker``, …), the logger's name, the level, the time (RFC 3339, UTC) and
    what was bound with ``structlog.contextvars``. Lines that libraries write by the standard logging look the same.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        of_temporal,
        _fields(process),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = (
        [_for_people()]
        if settings.log_format == "console"
        else [_TRACEBACKS, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
                }
            },
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}
            },
            "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
            "loggers": {name: {"level": level} for name, level in _QUIETER.items()},
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *(step for step in shared if step is not of_temporal and not isinstance(step, structlog.stdlib.ExtraAdder)),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _for_people() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time", exception_formatter=as_text)


def _fields(process: str) -> structlog.types.Processor:
    def add(_: Any, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        event["process"] = process
        if (traced := trace_id()) is not None:
            event["trace_id"] = traced
        event.pop("color_message", None)  # uvicorn says some things twice
        return event

    return add
