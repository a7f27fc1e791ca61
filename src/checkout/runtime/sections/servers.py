"""Where the shop's own processes are reached, and PostgreSQL."""

from pathlib import Path

from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import DatabaseUrl, Directory, Host, Url, port, setting, text


class ServerSettings(BaseSettings):
    """Addresses and ports of ours, the database, and how much a process takes on."""

    data_dir: Directory = setting(
        Path(".checkout"), "Where `checkout dev` keeps its servers' data, logs and secrets", "a directory"
    )

    host: Host = text(
        "127.0.0.1",
        "Address that the API, the gateway and the worker's metrics listen on",
        "an IP address or a host name",
    )
    http_port: int = port(8000, "Port of the API")
    gateway_port: int = port(8001, "Port of the simulated payment gateway")
    api_url: Url | None = text(
        None,
        "Where commands for operators reach the API; unset: the one that `checkout dev` runs",
        "an http or https URL",
    )

    database_url: DatabaseUrl | None = text(
        None,
        "PostgreSQL 15 or newer, as a libpq URI; unset: the one that `checkout dev` runs",
        "a libpq URI, postgresql://…",
    )
    database_pool_size: int = setting(
        10, "Connections to PostgreSQL that one process keeps open", "a number, 1 to 200", ge=1, le=200
    )
    # Enough to keep two cores busy. More would only wait inside instead of in the line.
    starts_at_once: int = setting(
        32,
        "Starts that one process of the API takes through their phases at once; others stand in line",
        "a number, 1 to 1000",
        ge=1,
        le=1000,
    )
