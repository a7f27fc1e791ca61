"""One checkout in full: its row, the rows around it, and what its workflow says now."""

import asyncio
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends

from checkout.api.admin.listing import patience, stuck_sentence
from checkout.api.admin.timeline import timeline
from checkout.api.admin.workflow import FORGOTTEN, Seen, look
from checkout.api.engine import Run
from checkout.api.models import admin as lists
from checkout.api.models import admin_checkout as models
from checkout.api.models.checkouts import LiveCheckout
from checkout.api.problems import Problem
from checkout.api.reading import Reading
from checkout.api.resources import Resources, ResourcesDep
from checkout.runtime.links import temporal_url
from checkout.store.inspecting import Inspected, inspect_checkout
from checkout.store.stuck import reason


class Inspecting:
    """Checkouts in full."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._engine, self._beside = resources.database, resources.engine, resources.beside
        self._settings = resources.settings
        self._reading = Reading(resources)

    async def get(self, checkout_id: str) -> models.InspectedCheckout:
        """All that is known of a checkout. Raises Problem ``checkout_not_found``, 503 where nobody can say."""
        run = await self._reading.run(None, checkout_id)
        shown, found, (run, seen) = await asyncio.gather(
            self._reading.get(None, checkout_id, live=True),
            self._database.read(lambda session: inspect_checkout(session, checkout_id)),
            self._look(run),
        )
        failed_phase = None if shown.failure is None else shown.failure.phase
        why = None
        if found.updated_at is not None:
            why = reason(shown.state, shown.expires_at, found.updated_at, patience(self._settings), datetime.now(UTC))
        return models.InspectedCheckout(
            **dict(_with_trouble(shown, seen)),
            closed=shown.state.closed,
            stuck=why is not None,
            stuck_reason=None
            if found.updated_at is None
            else stuck_sentence(why, shown.state.label, shown.expires_at, found.updated_at),
            updated_at=found.updated_at,
            timeline=timeline(found, failed_phase, None if seen.ended else seen.pending, shown.server_time),
            workflow=self._workflow(run, seen),
            **_rows(found),
        )

    async def _look(self, run: Run) -> tuple[Run, Seen]:
        """The run, or what goes on for it: another run of the checkout after a reset, or its repair."""
        seen = await look(self._engine, run)
        if not run.running or not seen.ended:
            return run, seen
        with suppress(Problem):  # Temporal has just answered, and does not any more
            latest = None if seen.note == FORGOTTEN else await self._engine.latest_run(run.cart_id)
            if latest is not None and latest.checkout_id == run.checkout_id and latest.run_id != run.run_id:
                return latest, await look(self._engine, latest)
            repair = await self._beside.repair_of(run)
            if repair is not None:
                return repair, await look(self._engine, repair)
        return run, seen

    def _workflow(self, run: Run, seen: Seen) -> models.Workflow:
        return models.Workflow(
            workflow_id=run.workflow_id,
            run_id=run.run_id,
            temporal_url=temporal_url(self._settings, run.workflow_id, run.run_id),
            status=seen.status,
            pending_activities=seen.pending,
            failed_tasks=seen.failed_tasks,
            untaken_since=seen.untaken_since,
            paused=seen.paused,
            note=seen.note,
        )


def _with_trouble(shown: LiveCheckout, seen: Seen) -> LiveCheckout:
    """The checkout with the whole last failure of what is tried again, of which buyers learn the kind alone."""
    failures = [one.last_failure for one in seen.pending or () if one.last_failure is not None]
    if shown.waiting_for is None or not failures:
        return shown
    return shown.model_copy(update={"waiting_for": shown.waiting_for.model_copy(update={"last_error": failures[0]})})


def _rows(found: Inspected) -> dict[str, Any]:
    return {
        "reservations": [models.Reservation(**asdict(one)) for one in found.reservations],
        "movements": [models.Movement(**asdict(one)) for one in found.movements],
        "unowed": [models.Unowed(**asdict(one)) for one in found.unowed],
        "refunds": [models.RefundOfOrder(**asdict(one)) for one in found.refunds],
        "actions": [lists.Action.model_validate(asdict(one)) for one in found.actions],
    }


async def inspecting(resources: ResourcesDep) -> Inspecting:
    """The application's checkouts in full."""
    return Inspecting(resources)


InspectingDep = Annotated[Inspecting, Depends(inspecting)]
