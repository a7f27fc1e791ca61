"""Sends spans to a collector that may be away: that is said once, and nobody who wants to stop waits for it."""

import threading
from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = structlog.get_logger(__name__)

#: Seconds that a process that stops gives a collector to take what is left.
PATIENCE = 3.0


class SpanSender(SpanExporter):
    """Sends by another exporter, whose own log lines, several at each try, are left out (:mod:`checkout.runtime.logs`).

    What the collector does not take is lost; the next spans are sent all the same.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, or say that they are not taken."""
        result = self._exporter.export(spans)
        away = result is not SpanExportResult.SUCCESS
        if away != self._away:
            self._away = away
            log.warning("traces_not_sent" if away else "traces_sent_again")
        return result

    def hurry(self) -> threading.Timer:
        """From now on there are seconds left, none where the collector is known to be away; the timer is running."""
        # Shut down, an exporter takes nothing more and gives up what it is trying again.
        timer = threading.Timer(0 if self._away else PATIENCE, self._exporter.shutdown)
        timer.daemon = True
        timer.start()
        return timer

    def shutdown(self) -> None:
        """Send nothing more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)
