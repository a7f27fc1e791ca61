"""How Temporal is reached."""

from typing import Self

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings

from checkout.domain.contract import TASK_QUEUE
from checkout.runtime.setting_kinds import PREFIX, Address, ExistingFile, Url, port, setting, text


class TemporalSettings(BaseSettings):
    """Temporal's address, how to show who we are there, and the ports of the one that `checkout dev` runs."""

    temporal_address: Address = text("127.0.0.1:7233", "Temporal's front end", "host:port")
    temporal_namespace: str = text("default", "Temporal's namespace")
    temporal_task_queue: str = text(TASK_QUEUE, "Task queue of the worker")
    temporal_port: int = port(7233, "Port of the Temporal server that `checkout dev` runs")
    temporal_ui_port: int = port(8233, "Port of the Temporal UI that `checkout dev` runs")
    temporal_ui_url: Url | None = text(
        None, "Where people reach the Temporal UI; unset: the admin API links to none", "an http or https URL"
    )
    temporal_api_key: SecretStr | None = text(None, "API key of Temporal Cloud (turns TLS on)", "an API key")
    temporal_tls: bool = setting(False, "Connect to Temporal over TLS", "true or false")
    temporal_tls_ca: ExistingFile | None = setting(
        None, "CA certificate of the Temporal server (PEM)", "a file that exists"
    )
    temporal_tls_cert: ExistingFile | None = setting(None, "Client certificate for mTLS (PEM)", "a file that exists")
    temporal_tls_key: ExistingFile | None = setting(
        None, "Private key of the client certificate (PEM)", "a file that exists"
    )
    temporal_tls_server_name: str | None = text(None, "Server name that Temporal's certificate is checked against")

    @model_validator(mode="after")
    def _check_certificate(self) -> Self:
        if (self.temporal_tls_cert is None) != (self.temporal_tls_key is None):
            raise ValueError(f"{PREFIX}TEMPORAL_TLS_CERT and {PREFIX}TEMPORAL_TLS_KEY need each other")
        return self
