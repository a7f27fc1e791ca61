"""What counts against the limits on one buyer."""

from datetime import datetime

from sqlalchemy import ARRAY, DateTime
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, text, time


class RateLimitHits(Table, table=True):
    """What was let through under one key within the last of its windows; the key names nobody.

    The table is unlogged, and a row whose ``expires_at`` has passed counts for nothing.
    """

    __tablename__ = "rate_limit_hits"

    key: str = text(primary_key=True)
    hits: list[datetime] = Field(sa_type=ARRAY(DateTime(timezone=True)))
    expires_at: Moment = time(nullable=False, index=True)
