"""The audit log: what admins did and tried to do, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.words import Role

#: The outcome of what was done.
DONE = "done"


@dataclass(frozen=True)
class ActionRecord:
    """One act of an admin; ``outcome`` as in ``tables.AdminAction``."""

    id: int
    at: datetime
    who: str
    role: str
    action: str
    target: str
    reason: str
    outcome: str | None
    ended_at: datetime | None


async def begin_action(
    session: AsyncSession, *, who: str, role: Role, action: str, target: str, reason: str, done: str | None = None
) -> int:
    """Keep that an admin is about to act, with what he has ``done`` by hand before; the row's id."""
    parameters = {"who": who, "role": role.value, "action": action, "target": target, "reason": reason, "done": done}
    return int((await session.execute(_BEGIN, parameters)).scalar_one())


async def end_action(session: AsyncSession, action_id: int, outcome: str) -> None:
    """Keep what came of it: DONE, or the code of a problem."""
    await session.execute(_END, {"id": action_id, "outcome": outcome})


def done_by_operator(*, who: str, action: str, target: str) -> TextClause:
    """What keeps that an operator has done something, for the transaction in which it is done."""
    return _KEEP.bindparams(who=who, role=Role.OPERATOR.value, action=action, target=target)


async def list_actions(
    session: AsyncSession, *, target: str | None, before: int | None, limit: int
) -> Sequence[ActionRecord]:
    """The newest acts, on one target when it is named, older than the one with the id ``before``."""
    conditions = [
        *(["target = :target"] if target is not None else []),
        *(["id < :before"] if before is not None else []),
    ]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    parameters = {"target": target, "before": before, "limit": limit}
    statement = text(f"{_LIST} {where} ORDER BY id DESC LIMIT :limit")
    return [ActionRecord(**row) for row in (await session.execute(statement, parameters)).mappings()]


_BEGIN = text("""
INSERT INTO admin_actions (who, role, action, target, reason, done)
VALUES (:who, :role, :action, :target, :reason, :done)
RETURNING id
""")
_END = text("UPDATE admin_actions SET outcome = :outcome, ended_at = now() WHERE id = :id")
_KEEP = text("""
INSERT INTO admin_actions (who, role, action, target, outcome, ended_at)
VALUES (:who, :role, :action, :target, 'done', now())
""")
_LIST = "SELECT id, at, who, role, action, target, reason, outcome, ended_at FROM admin_actions"
