"""What admins did, and tried to do."""

from sqlalchemy import BigInteger, Identity, Index
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, now, text, time


class AdminAction(Table, table=True):
    """One act of an admin: kept before it is done, so that nothing is done without a row.

    ``outcome`` is ``done``, or the code of the problem that it was answered with; null while it is being done, and for
    ever where the process died in the middle of it.
    """

    __tablename__ = "admin_actions"
    __table_args__ = (Index("ix_admin_actions_target", "target", "id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])
    at: Moment = now()
    who: str = text()
    role: str = text()
    action: str = text()
    target: str = text()
    reason: str = text(default="")
    #: What was done by hand, of those acts that say so.
    done: str | None = text(nullable=True)
    outcome: str | None = text(nullable=True)
    ended_at: Moment = time(nullable=True)
