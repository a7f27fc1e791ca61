"""What all tables share: one metadata with fixed constraint names, and the column types of money, time and documents.

Money is a BIGINT in minor units beside an ISO 4217 code; times carry their zone; documents are JSONB.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

_OptionalDocument: Any = JSONB(none_as_null=True)

NAMING = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Table(SQLModel):
    """The base of every table of the shop; the simulated gateway keeps a metadata of its own."""

    metadata = MetaData(naming_convention=NAMING)


def text(*, default: str | None = None, **options: Any) -> Any:
    """A TEXT column; lengths are the API's to limit."""
    if default is not None:
        options |= {"default": default, "sa_column_kwargs": {"server_default": default}}
    return Field(sa_type=Text, **options)


def money(**options: Any) -> Any:
    """An amount in minor units."""
    return Field(sa_type=BigInteger, **options)


def time(**options: Any) -> Any:
    """A moment with its zone."""
    return Field(sa_type=DateTime(timezone=True), **options)


def now() -> Any:
    """A moment that the database sets when the row is made."""
    return time(default=None, nullable=False, sa_column_kwargs={"server_default": func.now()})


def document(*, empty: str | None = None) -> Any:
    """A JSON document: NULL (never JSON's ``null``) when absent, or starting as ``empty``, such as ``'{}'``."""
    if empty is None:
        return Field(default=None, nullable=True, sa_type=_OptionalDocument)
    kind: type[Any] = list if empty == "[]" else dict
    return Field(default_factory=kind, nullable=False, sa_type=JSONB, sa_column_kwargs={"server_default": empty})


Moment = datetime | None
