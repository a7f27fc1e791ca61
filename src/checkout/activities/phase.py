"""How a phase that only touches Postgres runs, and how it is undone: one transaction each.

A phase's is begun anew when what it read has changed meanwhile.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import activity

from checkout.domain.messages import Compensated, CompensationInput
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.runtime.statements import Session
from checkout.store.fence import begin_compensation, wait_for_locks

Out = TypeVar("Out")

#: Seconds that a statement waits for a lock: less than a local attempt may take (2 s), so that the regular one which
#: follows does not find its predecessor still waiting. The worker's pool has this as its default.
LOCAL_PATIENCE = 1.5
REGULAR_PATIENCE = 10.0

#: How often what was read without a lock may have changed before everything is locked first.
HOPEFUL_TRIES = 3
TRIES = 10


class Raced(Exception):
    """What was read without a lock has changed meanwhile; the transaction is to be run again."""


async def run_phase(sessions: Sessions, work: Callable[[Session], Awaitable[Out]]) -> Out:
    """Run ``work`` in one transaction and commit. Raises what it raises, and the database's errors."""
    return await run_racing_phase(sessions, lambda session, _: work(session))


async def run_compensation(
    sessions: Sessions, given: CompensationInput, undo: Callable[[Session, str], Awaitable[int]]
) -> Compensated:
    """Move the checkout to ``compensating`` and run ``undo(session, checkout_id)``, which counts what it gave back.

    Nothing is done for a checkout that is undone already. Raises AlreadyCompleted.
    """

    async def work(session: Session) -> Compensated:
        undoing = await begin_compensation(session, given)
        if undoing.checkout is None:
            return Compensated(undoing.version)
        return Compensated(undoing.version, await undo(session, given.checkout_id))

    return await run_phase(sessions, work)


async def run_racing_phase(sessions: Sessions, work: Callable[[Session, bool], Awaitable[Out]]) -> Out:
    """Run ``work(session, lock)`` in one transaction and commit; run it again as long as it raises Raced.

    After HOPEFUL_TRIES it is told to ``lock`` what it reads. Raises Raced after TRIES.
    """
    patient = activity.in_activity() and not activity.info().is_local
    lock = False

    async def attempt(session: Session) -> Out:
        if patient:
            await wait_for_locks(session, REGULAR_PATIENCE)
        return await work(session, lock)

    for number in range(1, TRIES + 1):
        lock = number > HOPEFUL_TRIES
        try:
            return await in_direct_transaction(sessions, attempt)
        except Raced:
            if number == TRIES:
                raise
    raise AssertionError("unreachable: the last try returns or raises")
