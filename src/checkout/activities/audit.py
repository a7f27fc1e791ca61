"""Finds open checkouts whose workflow is gone, and tells of those that have ended and whose workflow is not.

What is alive is never touched: that a workflow is gone only ``describe`` may say, and after its answer the row is read
again, since a workflow that has ended in order has closed its row before. Where Temporal does not answer, nothing is
decided, and the activity is tried again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError

from checkout.activities.beating import beating
from checkout.activities.errors import performs
from checkout.activities.repair import asking_temporal
from checkout.domain import contract
from checkout.domain.audit import LISTED, AuditInput, Gone, GoneCheckout
from checkout.domain.ids import cart_of, repair_workflow_id, workflow_id
from checkout.runtime import runs
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.store import gone
from checkout.store.gone import OpenCheckout, Place

log = structlog.get_logger(__name__)

#: Rows of a page.
PAGE = 1000
#: So many checkouts Temporal is asked about one by one. Where more are open, it is asked about those that its lists
#: make doubtful, those that should have ended, and of the others about some, since lists lag and may be wrong.
ASKED = 500
SAMPLE = 100
#: A list of all that runs costs seconds of CPU where there are thousands, so it is read every so many looks. That of
#: what was stopped lately is short, and read at every other.
FULL_LOOK = 5
LATELY = timedelta(minutes=15)
#: So many questions at once.
AT_ONCE = 10
#: How long a workflow may go on after its checkout has ended.
LINGERS = timedelta(minutes=10)

One = TypeVar("One")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Auditing:
    """Looks, and touches nothing."""

    sessions: Sessions

    @performs(contract.FIND_GONE)
    async def find(self, given: AuditInput) -> Gone:
        """Every open checkout without a workflow that nobody repairs yet; a line in the log for each."""
        client = activity.client()
        async with beating(), asking_temporal():
            opened = await self._open(timedelta(seconds=given.grace))
            few = len(opened) <= ASKED
            whole = few or random.randrange(FULL_LOOK) == 0  # noqa: S311 - no secret
            listed = await _hint(runs.listed_as_running(client)) if whole else None
            chosen = opened if few else choose(opened, await _doubtful(client, opened, listed))
            missing = [*await self._missing(client, chosen), *await self._strays(client)]
            repaired = await _each(missing, lambda one: runs.runs(client, repair_workflow_id(one.checkout_id)))
            lingering = await self._lingering(client, listed or {})
        found = [one for one, begun in zip(missing, repaired, strict=True) if not begun][:LISTED]
        for one in found:
            log.warning("checkout_workflow_gone", **asdict(one))
        for checkout_id in lingering:
            log.warning("checkout_ended_and_workflow_runs", checkout_id=checkout_id)
        return Gone(len(opened), found, sum(repaired), lingering)

    async def _open(self, grace: timedelta) -> list[OpenCheckout]:
        opened: list[OpenCheckout] = []
        page = await self._page(grace, None)
        while page:
            opened += page
            page = await self._page(grace, (page[-1].created_at, page[-1].id)) if len(page) == PAGE else []
        return opened

    async def _page(self, grace: timedelta, after: Place | None) -> Sequence[OpenCheckout]:
        return await in_direct_transaction(
            self.sessions, lambda session: gone.open_checkouts(session, grace=grace, after=after, limit=PAGE)
        )

    async def _missing(self, client: Client, chosen: Sequence[OpenCheckout]) -> list[GoneCheckout]:
        fates = await _each(chosen, lambda one: runs.fate_of(client, one.workflow_id, one.run_id, one.id))
        missing = [
            GoneCheckout(one.id, one.cart_id, one.workflow_id, one.run_id, fate)
            for one, fate in zip(chosen, fates, strict=True)
            if fate is not None
        ]
        ids = [one.checkout_id for one in missing]
        still_open = await in_direct_transaction(self.sessions, lambda session: gone.still_open(session, ids))
        return [one for one in missing if one.checkout_id in still_open]

    async def _strays(self, client: Client) -> list[GoneCheckout]:
        """Locks of carts whose checkout has ended or has no row; the latest run may be that checkout's all the same."""
        strays = await in_direct_transaction(self.sessions, lambda session: gone.stray_locks(session, LISTED))
        fates = await _each(strays, lambda one: runs.fate_of(client, workflow_id(one.cart_id), "", one.checkout_id))
        return [
            GoneCheckout(one.checkout_id, one.cart_id, workflow_id(one.cart_id), "", fate)
            for one, fate in zip(strays, fates, strict=True)
            if fate is not None
        ]

    async def _lingering(self, client: Client, listed: Mapping[str, str]) -> list[str]:
        """Checkouts that have ended, and keep their carts' workflow from beginning another."""
        run_of = {checkout_id: run_id for run_id, checkout_id in listed.items()}
        ids, ended = list(run_of), set[str]()
        for start in range(0, len(ids), PAGE):
            ended |= await self._ended(ids[start : start + PAGE])
        suspects = sorted(ended)[:LISTED]
        fates = await _each(
            suspects, lambda one: runs.fate_of(client, workflow_id(cart_of(one) or ""), run_of[one], one)
        )
        return [one for one, fate in zip(suspects, fates, strict=True) if fate is None]

    async def _ended(self, checkout_ids: Sequence[str]) -> set[str]:
        return await in_direct_transaction(
            self.sessions, lambda session: gone.ended_before(session, checkout_ids, LINGERS)
        )


def choose(opened: Sequence[OpenCheckout], doubtful: Collection[str]) -> list[OpenCheckout]:
    """Of many, whom to ask Temporal about, given the run ids that it may not have running."""
    suspects = [one for one in opened if one.overdue or one.run_id in doubtful]
    suspected = {one.id for one in suspects}
    return _some(suspects, ASKED) + _some([one for one in opened if one.id not in suspected], SAMPLE)


def _some(opened: list[OpenCheckout], most: int) -> list[OpenCheckout]:
    """At random, so that nothing stays behind what comes first every time."""
    return opened if len(opened) <= most else random.sample(opened, most)


async def _doubtful(
    client: Client, opened: Sequence[OpenCheckout], listed: Mapping[str, str] | None
) -> Collection[str]:
    """The runs that are not listed as running; by a list of those that were stopped lately, where there is no other."""
    if listed is not None:
        return {one.run_id for one in opened} - listed.keys()
    return await _hint(runs.listed_as_stopped(client, datetime.now(UTC) - LATELY)) or set()


async def _hint(listing: Awaitable[Answer]) -> Answer | None:
    """A list of Temporal's, None where it gives none: those who are asked about anyway have to do."""
    try:
        return await listing
    except RPCError as error:
        log.warning("workflows_not_listed", error=error.message)
        return None


async def _each(ones: Sequence[One], ask: Callable[[One], Awaitable[Answer]]) -> list[Answer]:
    """The answers in the order of the questions, AT_ONCE asked together."""
    answers: list[Answer] = []
    for start in range(0, len(ones), AT_ONCE):
        answers += await asyncio.gather(*(ask(one) for one in ones[start : start + AT_ONCE]))
    return answers
