"""From when on a checkout is one that people should look at, and how logs look."""

from typing import Literal

from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import seconds, setting


class WatchingSettings(BaseSettings):
    """What counts as overdue, stuck and unhealthy, and the log."""

    overdue_after: int = seconds(60, "Seconds after its deadline from which an open checkout counts as stuck", 86_400)
    stuck_after: int = seconds(
        1800, "Seconds in one phase, or giving back, from which a checkout counts as stuck", 604_800
    )

    unhealthy_from: int = setting(
        10,
        "So many checkouts overdue, stuck or in failing workflows make `/health/checkout` unhealthy; fewer, degraded",
        "a number, 1 to 1000000",
        ge=1,
        le=1_000_000,
    )

    log_format: Literal["json", "console"] = setting("json", "How log lines look", "json or console")
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "The least severe log lines that are written", "debug, info, warning or error"
    )
