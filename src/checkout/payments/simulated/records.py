"""The gateway's own tables, in a schema of their own, and the few statements over them.

An answer is kept under its idempotency key in the transaction of its effect, so there is no answer without the effect
and no effect without the answer. A repeat finds the answer and changes nothing; of two repeats at once, the one that
cannot keep its answer has lost the race, rolls back and reads the other's.
"""

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checkout.payments.port import GatewayStatus
from checkout.payments.simulated.rules import Record
from checkout.runtime.statements import Change, Row, Session, Statement, together

SCHEMA = "gateway"
metadata = sa.MetaData(schema=SCHEMA)

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("payment_id", sa.Text, primary_key=True),
    sa.Column("checkout_id", sa.Text, nullable=False, index=True),
    sa.Column("attempt_id", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("token", sa.Text),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("authorized", sa.BigInteger, nullable=False),
    sa.Column("captured", sa.BigInteger, nullable=False),
    sa.Column("refunded", sa.BigInteger, nullable=False),
    sa.Column("voided", sa.BigInteger, nullable=False),
    sa.Column("unowed", sa.BigInteger, nullable=False),
    sa.Column("returned", sa.BigInteger, nullable=False),
    sa.Column("decline_code", sa.Text),
    sa.Column("confirm_tries", sa.Integer, nullable=False),
    sa.Column("return_url", sa.Text),
    sa.Column("action", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
    sa.CheckConstraint("amount > 0 AND authorized BETWEEN 0 AND amount", name="authorized_within_amount"),
    sa.CheckConstraint(
        "captured >= 0 AND voided >= 0 AND captured + voided <= authorized", name="captured_within_authorized"
    ),
    sa.CheckConstraint("refunded BETWEEN 0 AND captured", name="refunded_within_captured"),
    sa.CheckConstraint("returned BETWEEN 0 AND unowed", name="returned_within_unowed"),
    sa.Index("payments_in_order", "created_at", "payment_id"),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", JSONB, nullable=False),
)

_FIXED = frozenset({"payment_id", "checkout_id", "attempt_id", "method", "token", "currency", "amount", "action"})
_RECORD_COLUMNS = [column for column in payments.columns if column.name != "created_at"]
#: Any number that no other user of the database takes for an advisory lock: the schema is made by one starter alone.
_SCHEMA_LOCK = 0x67617465


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered under an idempotency key, with the fingerprint of the request that it answers."""

    fingerprint: str
    status: int
    body: dict[str, Any]


class LostRace(Exception):
    """A repeat with the same key was faster: roll back and read its answer."""


async def create_schema(engine: AsyncEngine) -> None:
    """Make schema and tables where they are absent; any number of starters may do so at once."""
    async with engine.begin() as connection:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
        await connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        await connection.run_sync(metadata.create_all)


async def find_answer(session: Session, key: str) -> Answer | None:
    """The answer kept under a key, if there is one."""
    row = await _FIND_ANSWER.row(session, {"key": key})
    return None if row is None else Answer(**row)


async def lock(session: Session, payment_id: str, key: str) -> tuple[Record | None, Answer | None]:
    """Lock a payment until the transaction ends; gives it, and the answer that was kept under ``key`` before.

    The answer may be missed when the lock had to be waited for (the statement's snapshot is older than the other
    repeat's commit); then ``keep`` raises ``LostRace``.
    """
    row = await _LOCK.row(session, {"payment_id": payment_id, "key": key})
    if row is None:
        return None, None
    answer = None if row["fingerprint"] is None else Answer(row["fingerprint"], row["answered"], row["body"])
    return _record(row), answer


def insertion(record: Record) -> Change:
    """A new payment."""
    return Change(_INSERTION, _values(record))


def change(record: Record) -> Change:
    """A payment that has changed; the caller holds its lock."""
    return Change(_CHANGE, _values(record))


async def keep(session: Session, key: str, answer: Answer, *effects: Change) -> None:
    """Keep an answer under its key, and the effects that it reports, in one statement.

    Raises LostRace when there is an answer already: then nothing of it may be committed.
    """
    parameters: dict[str, Any] = {
        "answer_key": key,
        "answer_fingerprint": answer.fingerprint,
        "answer_status": answer.status,
        "answer_body": json.dumps(answer.body),
    }
    for effect in effects:
        parameters |= effect.parameters
    if await together(_KEEP, *(effect.sql for effect in effects)).row(session, parameters) is None:
        raise LostRace(key)


async def find(connection: AsyncConnection, payment_id: str) -> Record | None:
    """A payment as it is now, without a lock."""
    query = sa.select(*_RECORD_COLUMNS).where(payments.c.payment_id == payment_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else _record(row)


async def find_by_action(connection: AsyncConnection, action: str, *, locked: bool = False) -> Record | None:
    """The payment of a buyer's address; ``locked`` until the transaction ends, or as it is now."""
    query = sa.select(*_RECORD_COLUMNS).where(payments.c.action == action)
    row = (await connection.execute(query.with_for_update() if locked else query)).mappings().one_or_none()
    return None if row is None else _record(row)


async def page(connection: AsyncConnection, since: datetime, after: str, limit: int) -> list[tuple[datetime, Record]]:
    """Payments with the moment of their creation, in its order: from ``since`` on, beyond payment ``after`` of then."""
    query = (
        sa.select(*_RECORD_COLUMNS, payments.c.created_at)
        .where(sa.tuple_(payments.c.created_at, payments.c.payment_id) > sa.tuple_(since, after))
        .order_by(payments.c.created_at, payments.c.payment_id)
        .limit(limit)
    )
    return [(row["created_at"], _record(row)) for row in (await connection.execute(query)).mappings()]


async def approved(connection: AsyncConnection, checkout_id: str | None = None) -> list[Record]:
    """All payments that ever brought money, oldest first; of one checkout when it is given."""
    query = sa.select(*_RECORD_COLUMNS).where(sa.or_(payments.c.authorized > 0, payments.c.unowed > 0))
    if checkout_id is not None:
        query = query.where(payments.c.checkout_id == checkout_id)
    query = query.order_by(payments.c.created_at, payments.c.payment_id)
    return [_record(row) for row in (await connection.execute(query)).mappings()]


def _values(record: Record) -> dict[str, Any]:
    return asdict(record) | {"status": record.status.value}


def _record(row: Row | sa.RowMapping) -> Record:
    values = {column.name: row[column.name] for column in _RECORD_COLUMNS}
    return Record(**values | {"status": GatewayStatus(values["status"])})


# Statements are made once and kept: SQLAlchemy takes longer to build one than PostgreSQL to run it.

_COLUMNS = [field.name for field in fields(Record)]
_CHANGING = [name for name in _COLUMNS if name not in _FIXED]

_INSERTION = f"""
INSERT INTO {SCHEMA}.payments ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
"""  # noqa: S608 - fixed words

_CHANGE = f"""
UPDATE {SCHEMA}.payments SET {", ".join(f"{name} = :{name}" for name in _CHANGING)} WHERE payment_id = :payment_id
"""  # noqa: S608

_FIND_ANSWER = Statement(f"SELECT fingerprint, status, body FROM {SCHEMA}.answers WHERE key = :key")  # noqa: S608

_LOCK = Statement(f"""
SELECT {", ".join(f"p.{name}" for name in _COLUMNS)}, a.fingerprint, a.status AS answered, a.body
FROM {SCHEMA}.payments p LEFT JOIN {SCHEMA}.answers a ON a.key = :key
WHERE p.payment_id = :payment_id
FOR UPDATE OF p
""")  # noqa: S608


_KEEP = f"""
INSERT INTO {SCHEMA}.answers (key, fingerprint, status, body)
VALUES (:answer_key, :answer_fingerprint, :answer_status, CAST(:answer_body AS jsonb))
ON CONFLICT (key) DO NOTHING
RETURNING key
"""  # noqa: S608
