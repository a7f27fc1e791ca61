"""What was answered to requests that may be repeated."""

from typing import Any

from sqlalchemy import CheckConstraint
from sqlmodel import Field

from checkout.store.tables.base import Moment, Table, document, now, text, time


class IdempotencyKey(Table, table=True):
    """A request by its ``Idempotency-Key``, and its answer once there is one that is kept.

    ``subject`` is who sent it, ``fingerprint`` a hash of method, path and body. Whoever runs it is the ``holder`` until
    ``lease_until``; after that, as long as there is no answer, the next repeat takes over, and ``runs`` counts them.
    ``created_at`` stays the first run's, so that all of them ask the workflow by the same update id. A row whose
    ``expires_at`` has passed counts for nothing.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (CheckConstraint("(status IS NULL) = (body IS NULL)", name="answer"),)

    subject: str = text(primary_key=True)
    key: str = text(primary_key=True)
    fingerprint: str = text()
    runs: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    holder: str = text()
    lease_until: Moment = time(nullable=False)
    status: int | None = Field(default=None)
    headers: dict[str, Any] = document(empty="{}")
    body: str | None = text(nullable=True)
    created_at: Moment = now()
    expires_at: Moment = time(nullable=False, index=True)
