"""Which checkouts are stuck, as far as rows tell: what should have happened by itself, and has not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Integer, bindparam

from checkout.domain.words import AT_REST, State
from checkout.store.tables.checkouts import OPEN

#: Past its deadline: the workflow's timer should have ended it.
OVERDUE = "overdue"
#: Giving back for too long: a compensation does not succeed.
COMPENSATING = "compensating"
#: In a phase for too long: it is tried again and again.
NOT_MOVING = "not_moving"


@dataclass(frozen=True)
class Patience:
    """How long is too long, in seconds: after a deadline, and in a phase or giving back."""

    overdue_after: int
    stuck_after: int

    @property
    def parameters(self) -> dict[str, Any]:
        """What REASON takes."""
        return {"overdue_after": self.overdue_after, "stuck_after": self.stuck_after}


#: The reason as SQL, NULL for what is not stuck. Waiting for a buyer or a bank is no reason until the deadline.
REASON = f"""
CASE
    WHEN NOT ({OPEN}) THEN NULL
    WHEN state IN ({", ".join(f"'{state}'" for state in sorted(AT_REST))}) THEN
        CASE WHEN expires_at < now() - make_interval(secs => :overdue_after) THEN '{OVERDUE}' END
    WHEN updated_at >= now() - make_interval(secs => :stuck_after) THEN NULL
    WHEN state = 'compensating' THEN '{COMPENSATING}'
    ELSE '{NOT_MOVING}'
END
"""


def reason(
    state: State, expires_at: datetime | None, updated_at: datetime, patience: Patience, now: datetime
) -> str | None:
    """REASON of one checkout that has been read; None where it is not stuck."""
    if state.closed:
        return None
    if state in AT_REST:
        late = expires_at is not None and expires_at < now - timedelta(seconds=patience.overdue_after)
        return OVERDUE if late else None
    if updated_at >= now - timedelta(seconds=patience.stuck_after):
        return None
    return COMPENSATING if state is State.COMPENSATING else NOT_MOVING


#: The types of REASON's parameters, which PostgreSQL cannot tell from where they stand.
PARAMETERS: tuple[BindParameter[Any], ...] = (
    bindparam("overdue_after", type_=Integer),
    bindparam("stuck_after", type_=Integer),
)
