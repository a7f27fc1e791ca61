"""A shop that is watched as closely as can be: every line is written, as JSON, and everything is traced."""

from pathlib import Path

from tests.e2e.stack import Stack
from tests.support.collector import Collector

#: One stack for all tests of the group: those that watch.
GROUP = "watched"
#: How often a buyer may start a checkout in a minute.
STARTS = 9


class WatchedStack(Stack):
    """All processes of the shop, at their most talkative."""

    def __init__(self, directory: Path, collector: Collector) -> None:
        super().__init__(directory)
        self.collector = collector
        self.environment |= {
            "CHECKOUT_LOG_FORMAT": "json",
            "CHECKOUT_LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # milliseconds
            "CHECKOUT_RATE_LIMIT_START": f"{STARTS}/minute",
        }

    def written(self, process: str) -> str:
        """All that a process wrote."""
        return (self.data / "logs" / f"{process}.log").read_text(encoding="utf-8")

    @property
    def metrics(self) -> dict[str, list[str]]:
        """Where its metrics are, by the jobs of Prometheus."""
        described = self.described()
        return {
            "checkout-api": [f"{described['api']['url']}/metrics"],
            "checkout-worker": [described["worker"]["metrics"]],
        }
