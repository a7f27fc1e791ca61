"""What an admin changes here stands in the log of what admins did by the transaction of the change: none without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqladmin.helpers import get_object_identifier
from sqlalchemy import TextClause, event
from sqlalchemy.orm import Session
from starlette.requests import Request

from checkout.store.actions import done_by_operator


@dataclass
class Act:
    """A change that is being made to one row of a view; a new row gets its key by being written.

    With neither key nor row nothing has been changed (yet).
    """

    who: str
    action: str
    view: str
    key: str | None = None
    row: Any = None

    def kept(self) -> TextClause:
        """The statement that keeps it."""
        key = get_object_identifier(self.row) if self.key is None else self.key
        return done_by_operator(who=self.who, action=f"catalogue_{self.action}", target=f"{self.view}/{key}")


class ActsSession(Session):
    """A session that keeps the act in progress when it commits a change."""


_act: ContextVar[Act | None] = ContextVar("act", default=None)


@contextmanager
def acting(request: Request, action: str, view: str, key: str | None = None) -> Iterator[Act]:
    """Around a change, by who is logged in: what commits inside of it keeps the act."""
    act = Act(str(request.session.get("name")), action, view, key)
    token = _act.set(act)
    try:
        yield act
    finally:
        _act.reset(token)


def current() -> Act | None:
    """The act in progress."""
    return _act.get()


@event.listens_for(ActsSession, "before_commit")
def _keep(session: Session) -> None:
    act = _act.get()
    if act is not None and (act.key is not None or act.row is not None):
        session.flush()  # a new row has its key by then
        session.execute(act.kept())
