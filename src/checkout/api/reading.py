"""Reads checkouts: by their row; by their workflow where there is no row yet, or the database is away."""

import asyncio
from typing import Annotated

from fastapi import Depends

from checkout.api.cache import STATUS_SECONDS, Entry
from checkout.api.engine import Run
from checkout.api.kept import Kept, holds_for
from checkout.api.models.base import Failure
from checkout.api.models.checkouts import LiveCheckout
from checkout.api.problems import Problem
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.shown_checkout import live_answer, record_answer, unknown_answer, view_answer
from checkout.domain.ids import cart_of
from checkout.domain.times import rfc3339
from checkout.domain.words import State
from checkout.store.checkouts import CheckoutRecord, read_checkout
from checkout.store.errors import CartNotFound
from checkout.store.holds import read_hold
from checkout.store.owner import Owner


class Reading:
    """The checkouts that a caller may see. What is another's is not there; ops, who are no owner, see all."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._engine = resources.database, resources.engine
        self._caches = resources.caches
        self._max_ttl = resources.settings.max_ttl

    async def get(
        self, owner: Owner | None, checkout_id: str, *, live: bool = False, keep: bool = False
    ) -> LiveCheckout:
        """The checkout of this id; ``live``: as its workflow has it too, the higher version answering.

        ``keep``: for those who ask for its status next. Whoever has changed something reads without it.

        Raises Problem ``checkout_not_found``, never for an id that was once answered to its session; 503 where neither
        database nor workflow answers.
        """
        cart_id = cart_of(checkout_id)
        if cart_id is None:
            raise not_found()
        try:
            read = await self._read(checkout_id, keep=keep)
        except Problem as away:
            return await self._without_database(owner, cart_id, checkout_id, away)
        if read is None:
            return await self._without_row(owner, cart_id, checkout_id)
        record, answer = read
        if owner is not None and not record.owned_by(owner):
            raise not_found()
        if live and not record.state.closed:
            run = run_of(record)
            view, trouble = await asyncio.gather(self._engine.view(run), self._engine.trouble(run))
            return live_answer(answer, view, trouble, self._max_ttl)
        return answer

    async def _read(self, checkout_id: str, *, keep: bool) -> tuple[CheckoutRecord, LiveCheckout] | None:
        """The row and its answer; from here on this process shows nothing older."""
        statuses = self._caches.statuses
        with statuses.reading(checkout_id) as read:
            record = await self._database.read_directly(lambda session: read_checkout(session, checkout_id))
            if record is None:
                return None
            answer = record_answer(record, self._max_ttl)
            if keep:
                statuses.seen(checkout_id, record.version)
                lasts = holds_for(answer, STATUS_SECONDS)
                statuses.keep(checkout_id, read, Entry(Kept.of(record, answer), record.version, lasts))
            else:
                self._caches.seen(checkout_id, record.version)
            return record, answer

    async def run(self, owner: Owner | None, checkout_id: str) -> Run:
        """The run of a checkout, to be asked for something. Raises Problem as :meth:`get` does."""
        cart_id = cart_of(checkout_id)
        if cart_id is None:
            raise not_found()
        record = await self._database.read_directly(lambda session: read_checkout(session, checkout_id))
        if record is not None:
            if owner is not None and not record.owned_by(owner):
                raise not_found()
            return run_of(record)
        return await self._run_without_row(owner, cart_id, checkout_id)

    async def running(self, owner: Owner, cart_id: str) -> LiveCheckout | None:
        """The checkout that Temporal runs for a cart of the owner's, also before there is a row of it; None: none runs.

        Raises Problem ``temporal_unavailable``: then nobody knows.
        """
        run = await self._engine.latest_run(cart_id)
        if run is None or not run.running:
            return None
        shown = await self.get(owner, run.checkout_id)
        return None if shown.state.closed else shown

    def begun(self, run: Run) -> LiveCheckout:
        """A checkout that runs and of which neither a row nor its workflow says more yet."""
        return unknown_answer(run, State.PENDING, self._max_ttl)

    async def _run_without_row(self, owner: Owner | None, cart_id: str, checkout_id: str) -> Run:
        if owner is not None:
            await self._require_cart(owner, cart_id)
        run = await self._engine.run_of(cart_id, checkout_id)
        if run is None:
            raise not_found()
        return run

    async def _require_cart(self, owner: Owner, cart_id: str) -> None:
        try:
            await self._database.read(lambda session: read_hold(session, owner, cart_id))
        except CartNotFound:
            raise not_found() from None

    async def _without_row(self, owner: Owner | None, cart_id: str, checkout_id: str) -> LiveCheckout:
        """Started, and nothing written yet: it waits for a worker, or was ended before it had one."""
        run = await self._run_without_row(owner, cart_id, checkout_id)
        if run.running:
            view = await self._engine.view(run)
            return self.begun(run) if view is None else view_answer(view, run, self._max_ttl)
        record = await self._database.read_directly(lambda session: read_checkout(session, checkout_id))
        if record is not None:  # written while Temporal was asked
            return record_answer(record, self._max_ttl)
        failure = Failure(
            code="workflow_terminated",
            phase=None,
            detail="The checkout was ended before it began; nothing was held.",
            at=rfc3339(run.ended_at or run.started_at),
        )
        return unknown_answer(run, State.FAILED, self._max_ttl, failure)

    async def _without_database(
        self, owner: Owner | None, cart_id: str, checkout_id: str, away: Problem
    ) -> LiveCheckout:
        """What the workflow says, to the session that started it: who else may see it, only the database knows."""
        run = await self._engine.run_of(cart_id, checkout_id)
        view = None if run is None else await self._engine.view(run)
        if run is None or view is None or (owner is not None and view.session_id != owner.session_id):
            raise away
        return view_answer(view, run, self._max_ttl)


def run_of(record: CheckoutRecord) -> Run:
    """The run that wrote a checkout's row."""
    return Run(record.cart_id, record.run_id, record.id, not record.state.closed, record.created_at)


def not_found() -> Problem:
    """404, whether there is no such checkout or it is another's."""
    return Problem("checkout_not_found", "There is no such checkout.")


async def reading(resources: ResourcesDep) -> Reading:
    """The application's reading of checkouts."""
    return Reading(resources)


ReadingDep = Annotated[Reading, Depends(reading)]
