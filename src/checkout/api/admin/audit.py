"""Who may act, and the log of it: every act of an admin stands in the database, those refused too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import structlog
from fastapi import Depends

from checkout.api.database import Database
from checkout.api.problems import Problem
from checkout.api.resources import DatabaseDep
from checkout.api.security import Admin, CurrentAdmin
from checkout.domain.errors import DefiniteFailure
from checkout.domain.words import Role
from checkout.store import actions

log = structlog.get_logger(__name__)


class Acting:
    """An admin who is about to act: ``async with acting("release", checkout_id, reason): …``."""

    def __init__(self, admin: Admin, database: Database) -> None:
        self.admin, self._database = admin, database

    @asynccontextmanager
    async def __call__(self, action: str, target: str, reason: str = "", done: str | None = None) -> AsyncIterator[int]:
        """Around what is done: kept before it begins, and what came of it after; gives the row's id.

        Raises Problem ``operator_required`` (403) for a viewer, which is kept as well; ``database_unavailable`` where
        it cannot be kept, and then nothing is done.
        """
        row = await self._database.write(
            lambda session: actions.begin_action(
                session,
                who=self.admin.name,
                role=self.admin.role,
                action=action,
                target=target,
                reason=reason,
                done=done,
            )
        )
        outcome = "internal_error"
        try:
            self._may(action)
            yield row
            outcome = actions.DONE
        except (Problem, DefiniteFailure) as refused:
            outcome = refused.code
            raise
        finally:
            log.info("admin_action", who=self.admin.name, action=action, target=target, outcome=outcome)
            await self._end(row, outcome)

    def _may(self, action: str) -> None:
        if self.admin.role is not Role.OPERATOR:
            raise Problem("operator_required", f"A viewer may look, not {action}: send an operator's token.")

    async def _end(self, row: int, outcome: str) -> None:
        try:
            await self._database.write(lambda session: actions.end_action(session, row, outcome))
        except Problem:
            # What was done is done: the row says when and by whom, and the log line how it ended.
            log.warning("admin_action_end_not_kept", action_id=row, outcome=outcome)


async def acting(admin: CurrentAdmin, database: DatabaseDep) -> Acting:
    """The admin who asks, about to act."""
    return Acting(admin, database)


ActingDep = Annotated[Acting, Depends(acting)]
