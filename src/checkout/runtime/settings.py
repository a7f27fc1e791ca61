"""Settings from the environment, prefix ``CHECKOUT_``.

Every setting has a default that suits ``checkout dev``, except the secrets: a process that needs one refuses to start
without it (:meth:`Settings.require`). Durations that people write in minutes are offered in seconds.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from checkout.runtime.admins import TOKEN_LENGTH, NamedToken, named_tokens
from checkout.runtime.setting_kinds import (
    Address,
    Admins,
    Country,
    Currency,
    DatabaseUrl,
    ExistingFile,
    Origins,
    StripeKey,
    StripePublicKey,
    Url,
    port,
    seconds,
    setting,
    text,
)
from checkout.runtime.stripe_keys import check_together

PREFIX = "CHECKOUT_"
# HS256 keys shorter than the hash's output weaken the signature (RFC 7518, section 3.2).
SECRET_LENGTH = 32

SecretName = Literal[
    "secret_key",
    "admin_token",
    "gateway_api_key",
    "gateway_webhook_secret",
    "stripe_secret_key",
    "stripe_webhook_secret",
]
NeededName = Literal[SecretName, "return_url"]


class SettingsError(Exception):
    """A setting that is wrong or missing; ``str()`` is what to show: one line for each variable."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Settings(BaseSettings):
    """All settings of all processes. :func:`load_settings` builds one and explains what is wrong, one line each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

    data_dir: Path = setting(
        Path(".checkout"), "Where `checkout dev` keeps its servers' data, logs and secrets", "a directory"
    )

    host: str = text("127.0.0.1", "Address that the API and the gateway listen on", "an IP address or a host name")
    http_port: int = port(8000, "Port of the API")
    gateway_port: int = port(8001, "Port of the simulated payment gateway")

    database_url: DatabaseUrl | None = text(
        None,
        "PostgreSQL 15 or newer, as a libpq URI; unset: the one that `checkout dev` runs",
        "a libpq URI, postgresql://…",
    )
    database_pool_size: int = setting(
        10, "Connections to PostgreSQL that one process keeps open", "a number, 1 to 200", ge=1, le=200
    )

    temporal_address: Address = text("127.0.0.1:7233", "Temporal's front end", "host:port")
    temporal_namespace: str = text("default", "Temporal's namespace")
    temporal_task_queue: str = text("checkout", "Task queue of the worker")
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

    ttl_minutes: float = setting(
        15, "Minutes until an unpaid checkout expires", "minutes, more than 0, at most MAX_TTL_MINUTES", gt=0
    )
    max_ttl_minutes: float = setting(
        60,
        "Longest life of an unpaid checkout, extensions included",
        "minutes, more than 0, at most 1440",
        gt=0,
        le=1440,
    )
    base_currency: Currency = text("EUR", "Currency from which prices are converted", "an ISO 4217 code, such as EUR")
    prices_include_tax: bool = setting(
        False, "Whether prices are entered with the tax of HOME_COUNTRY in them", "true or false"
    )
    home_country: Country | None = text(None, "Country of the shop", "an ISO 3166-1 alpha-2 code, such as DE")
    price_drift_tolerance: int = setting(
        1, "Minor units by which prices may have moved before a drift is logged", "a whole number from 0", ge=0
    )
    payment_gateway: Literal["simulated", "stripe"] = setting("simulated", "Payment gateway", "simulated or stripe")
    payment_auth_timeout: int = seconds(300, "Seconds after which an authorization is given up", 86_400)
    payment_capture_timeout: int = seconds(3600, "Seconds after which a capture is given up", 604_800)
    funds_timeout: int = seconds(259_200, "Seconds that a bank transfer may take", 7_776_000)
    reconcile_every: int = setting(
        3600,
        "Seconds between two reconciliations with the gateway; 0: none",
        "whole seconds, 0 to 604800",
        ge=0,
        le=604_800,
    )
    reconcile_hours: int = setting(
        24, "Hours back that a scheduled reconciliation looks", "a number, 1 to 8760", ge=1, le=8760
    )
    reconcile_fix: bool = setting(False, "Whether a scheduled reconciliation mends what it finds", "true or false")
    return_url: Url | None = text(
        None,
        "Where buyers come back to from a gateway's page; `{checkout_id}` in it becomes the checkout's id",
        "an http or https URL",
    )
    gateway_url: Url = text("http://127.0.0.1:8001", "Where the payment gateway answers", "an http or https URL")
    gateway_api_key: SecretStr | None = text(
        None, "Key by which the shop authenticates at the payment gateway", "a text that is not empty"
    )
    gateway_public_url: Url | None = text(
        None,
        "Where buyers reach the simulated gateway's pages; unset: where the shop does",
        "an http or https URL",
    )
    gateway_webhook_url: Url | None = text(
        None,
        "Where the simulated gateway sends its events: API, then /payments/webhooks/simulated; unset: nowhere",
        "an http or https URL",
    )
    gateway_webhook_secret: SecretStr | None = text(
        None, "Signs the simulated gateway's events; shop and gateway share it", "a text that is not empty"
    )

    stripe_secret_key: StripeKey | None = text(
        None, "Key by which the shop authenticates at Stripe", "sk_test_…, sk_live_…, or a restricted rk_…"
    )
    stripe_publishable_key: StripePublicKey | None = text(
        None, "The storefront's key; here only so that a mix of test and live is noticed", "pk_test_… or pk_live_…"
    )
    stripe_webhook_secret: StripeKey | None = text(
        None, "Signing secret of the shop's webhook endpoint at Stripe", "whsec_…"
    )
    stripe_api_base: Url = text(
        "https://api.stripe.com", "Where Stripe answers", "an https URL; with a test key also http"
    )

    secret_key: SecretStr | None = setting(
        None, "Signs session tokens (HS256)", f"{SECRET_LENGTH} characters or more, random", min_length=SECRET_LENGTH
    )
    admin_token: SecretStr | None = setting(
        None,
        "Bearer token of an operator",
        f"{TOKEN_LENGTH} characters or more, random",
        min_length=TOKEN_LENGTH,
    )
    admin_tokens: Admins | None = setting(
        None,
        "Further admins, each with a token: a viewer looks, an operator acts; separated by commas",
        "name:viewer:token or name:operator:token, names and tokens each once, tokens of "
        f"{TOKEN_LENGTH} characters or more",
    )
    idempotency_lease: int = seconds(
        30, "Seconds after which a repeat takes over a keyed request whose process died", 3600
    )
    cors_origins: Origins = setting(
        (), "Origins whose pages may call the API, separated by commas", "origins such as https://shop.example, or *"
    )

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

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.ttl_minutes > self.max_ttl_minutes:
            raise ValueError(
                f"{PREFIX}TTL_MINUTES is {self.ttl_minutes:g}, "
                f"more than {PREFIX}MAX_TTL_MINUTES, {self.max_ttl_minutes:g}"
            )
        if self.prices_include_tax and self.home_country is None:
            raise ValueError(
                f"{PREFIX}PRICES_INCLUDE_TAX is true and {PREFIX}HOME_COUNTRY is not set: whose tax is it?"
            )
        if (self.temporal_tls_cert is None) != (self.temporal_tls_key is None):
            raise ValueError(f"{PREFIX}TEMPORAL_TLS_CERT and {PREFIX}TEMPORAL_TLS_KEY need each other")
        if self.stripe_secret_key is not None:
            secret_key = self.stripe_secret_key.get_secret_value()
            check_together(secret_key, self.stripe_publishable_key, self.stripe_api_base, PREFIX)
        return self

    @property
    def ttl(self) -> int:
        """Seconds until an unpaid checkout expires."""
        return max(1, round(self.ttl_minutes * 60))

    @property
    def max_ttl(self) -> int:
        """Seconds from the start after which no extension helps."""
        return max(1, round(self.max_ttl_minutes * 60))

    @property
    def admins(self) -> tuple[NamedToken, ...]:
        """Those of ``admin_tokens``."""
        return () if self.admin_tokens is None else named_tokens(self.admin_tokens.get_secret_value())

    def require_database_url(self) -> str:
        """The database's libpq URI.

        Raises SettingsError where none is set.
        """
        if self.database_url is None:
            raise SettingsError(
                f"{PREFIX}DATABASE_URL is not set, and no `checkout dev` runs on {self.data_dir}: "
                "start one, or set a libpq URI"
            )
        return self.database_url

    def secret(self, name: SecretName) -> str:
        """A secret that there is no default for. Raises SettingsError where it is missing."""
        self.require(name)
        value: SecretStr = getattr(self, name)
        return value.get_secret_value()

    def require(self, *names: NeededName) -> None:
        """Refuse to go on without these; there is no default that would do (`checkout dev` makes secrets of its own).

        Raises SettingsError naming each that is missing.
        """
        missing = [name for name in names if getattr(self, name) is None]
        if missing:
            raise SettingsError(*(f"{PREFIX}{name.upper()} is not set, needed: {_needed(name)}" for name in missing))


def load_settings(**overrides: Any) -> Settings:
    """The settings that the environment gives, ``overrides`` winning over it.

    Raises SettingsError, a line for each wrong variable: its name, its value (never a secret's) and what is allowed.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(*(_explain(details, overrides) for details in error.errors(include_url=False))) from None


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A line for each ``CHECKOUT_`` variable that no setting reads, with the nearest name that exists."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    lines = []
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known and not variable.startswith(PREFIX + "TEST_"):
            near = difflib.get_close_matches(variable, known, n=1)
            lines.append(f"{variable} is not a setting" + (f"; {near[0]} is" if near else ""))
    return lines


def _needed(name: str) -> str:
    field = Settings.model_fields[name]
    extra = field.json_schema_extra
    return f"{extra['allowed'] if isinstance(extra, dict) else field.annotation} ({field.description})"


def _explain(details: ErrorDetails, overrides: Mapping[str, Any]) -> str:
    if not details["loc"]:  # two settings that contradict each other: the message names both
        return details["msg"].removeprefix("Value error, ")
    name = str(details["loc"][0])
    variable = PREFIX + name.upper()
    annotation = str(Settings.model_fields[name].annotation)
    value = overrides.get(name, os.environ.get(variable, ""))
    shown = "wrong" if "SecretStr" in annotation or name == "database_url" else repr(str(value))
    return f"{variable} is {shown}, needed: {_needed(name)}"
