"""What the processes of the API count together."""

from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field

from checkout.store.tables.base import Table, text, time


class MinuteCount(Table, table=True):
    """How often something was counted within a minute, by the words of :class:`checkout.store.counts.Counted`."""

    __tablename__ = "minute_counts"

    minute: Any = time(primary_key=True)
    name: str = text(primary_key=True)
    number: int = Field(sa_type=BigInteger)
