"""What a setting may be: its kinds of values, each with its check, and its words for people.

A check raises ValueError; what is shown beside the variable's name is the setting's own ``allowed``.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo
from pydantic_settings import NoDecode

from checkout.domain.countries import is_country
from checkout.domain.currencies import is_currency
from checkout.runtime.admins import named_tokens
from checkout.runtime.stripe_keys import check_key

#: What every setting's variable begins with.
PREFIX = "CHECKOUT_"
#: What a rate may be, in words.
RATES = "a number, 1 to 1000, then /second, /minute, /hour or /day, such as 5/minute; or off"

#: What a cap may be, in words.
CAPS = "a number, 1 to 100000, or off"


def setting(default: Any, description: str, allowed: str, **limits: Any) -> Any:
    """A setting: what it is, and what its value may be, both for the documents and for whoever set it wrong."""
    return Field(default=default, description=description, json_schema_extra={"allowed": allowed}, **limits)


def port(default: int, description: str) -> Any:
    """A TCP port."""
    return setting(default, description, "a port number, 1 to 65535", ge=1, le=65535)


def seconds(default: int, description: str, longest: int) -> Any:
    """A duration in whole seconds."""
    return setting(default, description, f"whole seconds, 1 to {longest}", ge=1, le=longest)


def text(default: str | None, description: str, allowed: str = "a text that is not empty") -> Any:
    """A text; an empty one is a mistake, not a default."""
    return setting(default, description, allowed, min_length=1)


def _cap(value: object) -> object:
    return None if value == "off" else value


_RATE = re.compile(r"(?:[1-9]\d{0,2}|1000)/(?:second|minute|hour|day)|off")


def _rate(value: str) -> str:
    if not _RATE.fullmatch(value):
        raise ValueError(f"{value!r} is no rate")
    return value


def _admins(value: SecretStr) -> SecretStr:
    named_tokens(value.get_secret_value())
    return value


def split(value: object) -> object:
    """Separated by commas, not JSON, as environments have lists."""
    if isinstance(value, str):
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    return value


def _origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if origin != "*" and (not origin.startswith(("http://", "https://")) or origin.count("/") != 2):
            raise ValueError(f"{origin!r} is not an origin")
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    # With bits beyond its length (10.0.0.1/8) a network is more often a mistake than meant.
    return tuple(str(ip_network(network)) for network in value)


def _redis_url(value: SecretStr) -> SecretStr:
    url = urlsplit(value.get_secret_value())
    database = url.path.removeprefix("/")
    if url.scheme not in {"redis", "rediss"} or not url.hostname or (database and not database.isdecimal()):
        raise ValueError("not a Redis URL")
    _ = url.port  # raises where it is none
    return value


def _url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or any(map(str.isspace, value)):
        raise ValueError("not an http or https URL")
    _ = url.port  # raises where it is none
    return value.rstrip("/")


_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*", re.IGNORECASE
)


def _host(value: str) -> str:
    if not _HOST_NAME.fullmatch(value):
        ip_address(value)
    return value


def _stripe_key(value: str, info: ValidationInfo) -> str:
    check_key(str(info.field_name), value)
    return value


def _stripe_secret(value: SecretStr, info: ValidationInfo) -> SecretStr:
    check_key(str(info.field_name), value.get_secret_value())
    return value


def _database_url(value: str) -> str:
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("not a libpq URI")
    try:
        conninfo_to_dict(value)
    except ProgrammingError as error:
        raise ValueError("not a libpq URI") from error
    return value


def _address(value: str) -> str:
    host, _, number = value.rpartition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,4}", number) or int(number) > 65535:
        raise ValueError("not host:port")
    _host(host.removeprefix("[").removesuffix("]"))
    return value


def _currency(value: str) -> str:
    if not is_currency(value):
        raise ValueError(f"{value!r} is no ISO 4217 currency")
    return value


def check_places(value: tuple[str, ...]) -> tuple[str, ...]:
    """Places of Python code, each a module or ``module:name``. Raises ValueError."""
    for place in value:
        if not all(name.isidentifier() for name in place.replace(":", ".", 1).split(".")):
            raise ValueError(f"{place!r} is no module")
    return value


def _named_code(value: str) -> str:
    check_places((value,))
    if ":" not in value:
        raise ValueError(f"{value!r} names nothing in a module")
    return value


def _country(value: str) -> str:
    if not is_country(value):
        raise ValueError(f"{value!r} is no ISO 3166-1 alpha-2 code")
    return value


def _there(value: Path, is_one: Callable[[Path], bool]) -> Path:
    try:
        there = is_one(value)
    except OSError:  # a name that is too long, a directory that is closed to us
        there = False
    if not there:
        raise ValueError(f"{value} is not there")
    return value


def _named(value: object) -> object:
    if value == "":  # which would be the working directory
        raise ValueError("not a directory")
    return value


#: ``host:port``.
Address = Annotated[str, AfterValidator(_address)]
#: See :mod:`checkout.runtime.admins`.
Admins = Annotated[SecretStr, AfterValidator(_admins)]
NamedCode = Annotated[str, AfterValidator(_named_code)]
Country = Annotated[str, AfterValidator(_country)]
Currency = Annotated[str, AfterValidator(_currency)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
#: A directory that may yet have to be made.
Directory = Annotated[Path, BeforeValidator(_named)]
ExistingDirectory = Annotated[Directory, AfterValidator(lambda value: _there(value, Path.is_dir))]
ExistingFile = Annotated[Path, AfterValidator(lambda value: _there(value, Path.is_file))]
#: So many at once; None for ``off``.
Cap = Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, BeforeValidator(_cap)]
#: Where a server listens.
Host = Annotated[str, AfterValidator(_host)]
#: Separated by commas, not JSON, as environments have lists; each as a network, also one address.
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_networks)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_origins)]
#: So many in a time, or ``off``.
Rate = Annotated[str, AfterValidator(_rate)]
#: With a password in it, perhaps.
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
#: A key whose form tells what it is for: see :mod:`checkout.runtime.stripe_keys`.
StripeKey = Annotated[SecretStr, AfterValidator(_stripe_secret)]
StripePublicKey = Annotated[str, AfterValidator(_stripe_key)]
#: Kept without a slash at its end.
Url = Annotated[str, AfterValidator(_url)]
