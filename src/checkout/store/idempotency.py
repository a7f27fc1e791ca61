"""Requests that may be repeated: each key is run by one process at a time, and answered again as it was answered.

A process that dies leaves its lease; the next repeat takes the request over when that is past. So nothing has to be
cleaned up: old rows are forgotten by those who add new ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

#: How long an answer is kept.
KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Key:
    """The request that a caller names: who it is, the key, and a hash of what is asked for."""

    subject: str
    key: str
    fingerprint: str


@dataclass(frozen=True)
class Turn:
    """The request is the caller's to run. ``since``: when it was first seen; ``runs``: how often it was begun."""

    since: datetime
    runs: int


@dataclass(frozen=True)
class Stored:
    """The request was answered before, like this."""

    status: int
    headers: Mapping[str, str]
    body: str


class KeyReused(Exception):
    """The key was sent with another request."""


class KeyInUse(Exception):
    """Another process is running this very request."""


async def claim(session: AsyncSession, key: Key, *, holder: str, lease: float) -> Turn | Stored:
    """Take a request for ``lease`` seconds, or find how it was answered.

    Call it in a transaction of its own. Raises KeyReused, KeyInUse.
    """
    parameters = {**_which(key), "fingerprint": key.fingerprint, "holder": holder}
    parameters |= {"lease": timedelta(seconds=lease), "kept": KEPT}
    while True:
        taken = (await session.execute(_CLAIM, parameters)).one_or_none()
        if taken is not None:
            return Turn(taken.created_at, taken.runs)
        found = (await session.execute(_FIND, _which(key))).one_or_none()
        if found is not None:
            break
        # Its holder has let it go meanwhile.
    if found.fingerprint != key.fingerprint:
        raise KeyReused
    if found.status is None:
        raise KeyInUse
    return Stored(found.status, found.headers, found.body)


async def keep(session: AsyncSession, key: Key, holder: str, answer: Stored) -> None:
    """Keep the answer, unless another has taken the request over and it is his to answer."""
    parameters = {**_which(key), "holder": holder, "status": answer.status, "body": answer.body}
    await session.execute(_KEEP, {**parameters, "headers": dict(answer.headers)})


async def let_go(session: AsyncSession, key: Key, holder: str) -> None:
    """End the lease without an answer: something may have happened, so the same request goes on with it."""
    await session.execute(_LET_GO, {**_which(key), "holder": holder})


async def forget(session: AsyncSession, key: Key, holder: str) -> None:
    """Nothing has happened: the key is as if it had never been sent."""
    await session.execute(_FORGET, {**_which(key), "holder": holder})


def _which(key: Key) -> dict[str, Any]:
    return {"subject": key.subject, "key": key.key}


_CLAIM = text("""
WITH old AS (
    SELECT subject, key FROM idempotency_keys WHERE expires_at < now()
    ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM idempotency_keys k USING old
    WHERE (k.subject, k.key) = (old.subject, old.key) AND (k.subject, k.key) <> (:subject, :key)
)
INSERT INTO idempotency_keys AS kept (subject, key, fingerprint, holder, lease_until, expires_at)
VALUES (:subject, :key, :fingerprint, :holder, now() + :lease, now() + :kept)
ON CONFLICT (subject, key) DO UPDATE SET
    fingerprint = excluded.fingerprint,
    holder = excluded.holder,
    lease_until = excluded.lease_until,
    runs = CASE WHEN kept.expires_at <= now() THEN 1 ELSE kept.runs + 1 END,
    status = NULL,
    headers = DEFAULT,
    body = NULL,
    created_at = CASE WHEN kept.expires_at <= now() THEN now() ELSE kept.created_at END,
    expires_at = CASE WHEN kept.expires_at <= now() THEN excluded.expires_at ELSE kept.expires_at END
WHERE kept.expires_at <= now()
    OR (kept.status IS NULL AND kept.lease_until <= now() AND kept.fingerprint = excluded.fingerprint)
RETURNING created_at, runs
""")

_FIND = text("SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE subject = :subject AND key = :key")

_MINE = "WHERE subject = :subject AND key = :key AND holder = :holder"

_KEEP = text(
    f"UPDATE idempotency_keys SET status = :status, headers = :headers, body = :body {_MINE}"  # noqa: S608 - no value
).bindparams(bindparam("headers", type_=JSONB))

_LET_GO = text(f"UPDATE idempotency_keys SET lease_until = now() {_MINE}")  # noqa: S608 - no value in it

_FORGET = text(f"DELETE FROM idempotency_keys {_MINE}")  # noqa: S608 - no value in it
