"""Cells of an import: each checked, and what is wrong with it said with its column."""

import unicodedata
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from checkout.domain.checks import InvalidValue, check_image
from checkout.domain.money import parse_amount
from checkout.store.importing.csvfile import Row
from checkout.store.ledger import MAX_UNITS

T = TypeVar("T")

MAX_WEIGHT_GRAMS = 1_000_000_000
#: Shopify's own limit for handles, titles, options and SKUs; texts longer than that are no names.
MAX_NAME = 255


class BadCell(Exception):
    """A cell that cannot be taken: its column and what is wrong."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column = column
        self.reason = reason


def name(row: Row, column: str) -> str:
    """A short text on one line; may be empty."""
    value = row.get(column)
    if len(value) > MAX_NAME:
        raise BadCell(column, f"{len(value)} characters, at most {MAX_NAME} are taken")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise BadCell(column, f"{value[:40]!r} has a line break or a control character in it")
    return value


def required_name(row: Row, column: str) -> str:
    """A short text on one line that must be there."""
    value = name(row, column)
    if not value:
        raise BadCell(column, "is empty")
    return value


def price(row: Row, column: str, currency: str) -> int:
    """Minor units of a decimal text with a point; zero is a free item."""
    value = row.get(column)
    if not value:
        raise BadCell(column, "is empty (0 for a free item)")
    try:
        return parse_amount(value, currency, column)
    except InvalidValue as error:
        raise BadCell(column, error.reason) from None


def units(row: Row, column: str) -> int:
    """A number of units: whole, 0 or more."""
    value = row.get(column)
    if not value.isascii() or not value.isdigit():
        hint = "; oversold stock is 0 here" if value.startswith("-") and value[1:].isdigit() else ""
        raise BadCell(column, f"{value[:40]!r} is no whole number from 0 on{hint}")
    if len(value) > 18 or int(value) > MAX_UNITS:
        raise BadCell(column, f"{value[:40]} is more than {MAX_UNITS} units")
    return int(value)


def grams(row: Row, column: str) -> int:
    """A weight in grams, rounded half up to whole ones; empty is 0."""
    value = row.get(column) or "0"
    try:
        weight = Decimal(value)
    except InvalidOperation:
        raise BadCell(column, f"{value[:40]!r} is no weight in grams") from None
    if not weight.is_finite() or not 0 <= weight <= MAX_WEIGHT_GRAMS:
        raise BadCell(column, f"{value[:40]} is no weight from 0 to {MAX_WEIGHT_GRAMS} grams")
    return int(weight + Decimal("0.5"))


def image(row: Row, column: str) -> str | None:
    """The address of an image: http, https, a path of the shop's own, or an inline image."""
    value = row.get(column)
    try:
        return check_image(value, column)
    except InvalidValue as error:
        raise BadCell(column, f"{value[:40]!r} is no address of an image: {error.reason}") from None


def choice(row: Row, column: str, choices: dict[str, T]) -> T:
    """One of a few words, without regard to case; ``choices`` has an entry for the empty cell where that is allowed."""
    value = row.get(column).casefold()
    if value not in choices:
        allowed = ", ".join(word for word in choices if word)
        raise BadCell(column, f"{row.get(column)[:40]!r} is none of {allowed}")
    return choices[value]


def optional(columns: frozenset[str], column: str, read: Callable[[], T]) -> T | None:
    """What ``read`` makes of the cell; None where the file has no such column, which leaves what is stored."""
    return read() if column in columns else None
