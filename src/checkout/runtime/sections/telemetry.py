"""What monitoring reads: metrics."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import setting


class TelemetrySettings(BaseSettings):
    """Where metrics are served, and to whom."""

    worker_metrics_port: int | None = setting(
        None,
        "Port of the worker's `/metrics`, 0: any that is free; unset: none (`checkout dev`: any)",
        "a port number, 0 to 65535",
        ge=0,
        le=65_535,
    )
    metrics_token: SecretStr | None = setting(
        None,
        "Bearer token that `/metrics` asks for; unset: whoever reaches it may read it",
        "16 characters or more, random",
        min_length=16,
    )
