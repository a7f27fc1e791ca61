"""What all bodies share: strictness, and the types of money, times, codes and texts."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

from checkout.domain.countries import is_country
from checkout.domain.currencies import is_currency
from checkout.domain.money import MAX_AMOUNT
from checkout.domain.pricing.model import MAX_QUANTITY
from checkout.domain.times import rfc3339


class Request(BaseModel):
    """What a caller sends: types as they are written, no field that we do not know."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class Answer(BaseModel):
    """What the API answers. Built from our own values, so nothing is checked twice."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def refused(message: str) -> PydanticCustomError:
    """A validation error whose message is shown as it stands."""
    return PydanticCustomError("refused", "{remedy}", {"remedy": message})


def _currency(value: str) -> str:
    if not (value.isascii() and len(value) == 3 and value.isupper() and is_currency(value)):
        raise refused("must be an ISO 4217 code in upper case, such as EUR")
    return value


def _country(value: str) -> str:
    if not (value.isascii() and len(value) == 2 and value.isupper() and is_country(value)):
        raise refused("must be an ISO 3166-1 alpha-2 code in upper case, such as DE")
    return value


def _printable(value: str) -> str:
    """One line of text: no control characters, and something to read in it."""
    if not value.strip():
        raise refused("must not be empty")
    if not value.isprintable():
        raise refused("must be one line, without control characters")
    return value


def _email(value: str) -> str:
    """A rough check: whether an address exists only its mail server knows (RFC 5321 limits it to 254 octets)."""
    local, at, domain = value.rpartition("@")
    if not (at and local and "." in domain.strip(".") and " " not in value and "@" not in local):
        raise refused("must be an e-mail address, such as ada@example.com")
    return value


def line_of(longest: int, *, shortest: int = 1) -> Any:
    """The constraints of one line of text of at most ``longest`` characters."""
    return StringConstraints(strict=True, min_length=shortest, max_length=longest)


Currency = Annotated[str, StringConstraints(max_length=3), AfterValidator(_currency), Field(examples=["EUR"])]
Country = Annotated[str, StringConstraints(max_length=2), AfterValidator(_country), Field(examples=["DE"])]
Email = Annotated[str, line_of(254), AfterValidator(_printable), AfterValidator(_email)]
#: A name, a street, a city.
Line = Annotated[str, line_of(200), AfterValidator(_printable)]
#: Why somebody does something, or what he did.
Sentence = Annotated[str, line_of(500), AfterValidator(_printable)]
#: A postal code.
Short = Annotated[str, line_of(20), AfterValidator(_printable)]
#: A coupon, a shipping option, a SKU, a token: chosen by others, looked up as it is.
Code = Annotated[str, line_of(255), AfterValidator(_printable)]
#: A session token.
Token = Annotated[str, line_of(4096), AfterValidator(_printable)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY, description=f"1 to {MAX_QUANTITY}")]
#: An amount that a caller names.
Amount = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT, description="Minor units")]
Money = Annotated[int, Field(description="Minor units")]
#: Of a paged list.
Limit = Annotated[int, Field(ge=1, le=200, description="Items on a page, 1 to 200")]
Cursor = Annotated[str, Field(description="`next_cursor` of the page before", max_length=1000)]
#: RFC 3339 in UTC.
Time = Annotated[
    datetime, PlainSerializer(rfc3339, return_type=str, when_used="json"), Field(description="RFC 3339, UTC")
]


class Failure(Answer):
    """What went wrong: a code for programs, a sentence for people, and the figures behind it."""

    code: str
    phase: str | None
    detail: str
    context: dict[str, Any] = {}
    at: str
