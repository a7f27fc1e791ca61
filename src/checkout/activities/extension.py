"""Beside the phases: the deadline that the workflow moved, in the checkout's row."""

from dataclasses import dataclass
from datetime import datetime

from checkout.activities.errors import performs
from checkout.activities.phase import run_phase
from checkout.domain import contract
from checkout.domain.messages import Extended, ExtensionInput
from checkout.domain.times import rfc3339
from checkout.runtime.database import Sessions
from checkout.runtime.statements import Session
from checkout.store.closing import move_deadline
from checkout.store.fence import enter_running


@dataclass(frozen=True)
class Extension:
    """Records the deadline."""

    sessions: Sessions

    @performs(contract.RECORD_EXTENSION)
    async def record(self, given: ExtensionInput) -> Extended:
        """Move ``expires_at`` to a later time, never to an earlier one: of two extensions the later deadline stays.

        Raises Fenced.
        """
        return await run_phase(self.sessions, lambda session: _record(session, given))


async def _record(session: Session, given: ExtensionInput) -> Extended:
    held = await enter_running(session, given.checkout_id)
    version, expires_at = await move_deadline(session, held, datetime.fromisoformat(given.expires_at))
    return Extended(version, rfc3339(expires_at))
