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


class CheckoutPlace(Table, table=True):
    """A checkout that counts against the caps on running ones, taken before it is begun.

    It counts while its checkout's row is open, and without a row until ``expires_at``; a trigger on the checkouts drops
    it when its checkout is closed. ``subject`` and ``address`` are hashes that name nobody. No foreign keys: the first
    phase has yet to write the row.
    """

    __tablename__ = "checkout_places"

    checkout_id: str = text(primary_key=True)
    cart_id: str = text(index=True)
    subject: str = text(index=True)
    address: str = text(index=True)
    expires_at: Moment = time(nullable=False, index=True)
