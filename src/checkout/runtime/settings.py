"""Settings from the environment, prefix ``CHECKOUT_``.

Every setting has a default that suits ``checkout dev``, except the secrets: a process that needs one refuses to start
without it (:meth:`Settings.require`). Each area has a class of its own in :mod:`checkout.runtime.sections`.
"""

import difflib
import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict

from checkout.runtime.sections.access import AccessSettings
from checkout.runtime.sections.audit import AuditSettings
from checkout.runtime.sections.events import EventSettings
from checkout.runtime.sections.limits import LimitSettings
from checkout.runtime.sections.payments import PaymentSettings
from checkout.runtime.sections.selling import SellingSettings
from checkout.runtime.sections.servers import ServerSettings
from checkout.runtime.sections.telemetry import TelemetrySettings
from checkout.runtime.sections.temporal import TemporalSettings
from checkout.runtime.sections.watching import WatchingSettings
from checkout.runtime.setting_kinds import PREFIX

__all__ = ["PREFIX", "NeededName", "SecretName", "Settings", "SettingsError", "load_settings", "unknown_variables"]

SecretName = Literal[
    "secret_key",
    "admin_token",
    "gateway_api_key",
    "gateway_webhook_secret",
    "stripe_secret_key",
    "stripe_webhook_secret",
]
NeededName = Literal[SecretName, "return_url"]

#: Characters of a wrong value that are shown.
_LONGEST_SHOWN = 100


class SettingsError(Exception):
    """A setting that is wrong or missing; ``str()`` is what to show: one line for each variable."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


# The documents list the areas as pydantic collects them: the last one first.
class Settings(
    EventSettings,
    TelemetrySettings,
    WatchingSettings,
    AuditSettings,
    LimitSettings,
    AccessSettings,
    PaymentSettings,
    SellingSettings,
    TemporalSettings,
    ServerSettings,
):
    """All settings of all processes. :func:`load_settings` builds one and explains what is wrong, one line each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, hide_input_in_errors=True)

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
    shown = "wrong" if "SecretStr" in annotation or name == "database_url" else _shown(str(value))
    return f"{variable} is {shown}, needed: {_needed(name)}"


def _shown(value: str) -> str:
    """The value for a line that people read."""
    return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")
