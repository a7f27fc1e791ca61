"""Looks at everything that is known of a checkout, or of the shop, and says what is wrong."""

import asyncio
import contextlib
from typing import Annotated

from fastapi import Depends

from checkout.api.admin.findings import Evidence, findings, workflow_gone
from checkout.api.admin.gateway_books import GatewayBooks
from checkout.api.admin.health import is_unhealthy, reasons
from checkout.api.admin.inspecting import Inspecting
from checkout.api.admin.listing import Listing
from checkout.api.models.admin import CheckoutsQuery, ListedCheckout
from checkout.api.models.diagnosis import Diagnosis, OtherCheckout, SystemDiagnosis
from checkout.api.problems import Problem
from checkout.api.resources import Resources, ResourcesDep
from checkout.domain.words import State
from checkout.store import inconsistent

#: Stuck checkouts that are shown of the whole shop.
STUCK = 20


class Diagnosing:
    """Diagnoses of one checkout, and of the shop."""

    def __init__(self, resources: Resources) -> None:
        self._resources, self._database = resources, resources.database
        self._engine, self._temporal_health = resources.engine, resources.temporal_health
        self._inspecting, self._listing = Inspecting(resources), Listing(resources)
        self._gateway = GatewayBooks(resources.settings, resources.database)

    async def checkout(self, subject: str) -> Diagnosis:
        """The checkout of this id, the latest of a cart, or the one that made an order.

        Raises Problem ``checkout_not_found``, 503 where nobody can say.
        """
        checkout_id = await self._checkout_of(subject)
        found = await self._inspecting.get(checkout_id)
        if workflow_gone(Evidence(found)):
            # Row and workflow are read beside each other, and it may have ended in between: only a second look counts.
            found = await self._inspecting.get(checkout_id)
        asked, polling, broken, others = await asyncio.gather(
            self._gateway.of(found.timeline.payments),
            self._polling(),
            self._database.read(lambda session: inconsistent.contradictions(session, checkout_id)),
            self._database.read(lambda session: inconsistent.others_of_cart(session, checkout_id)),
        )
        every = self._resources.settings.audit_every
        wrong = findings(Evidence(found, polling, broken, asked.shown, asked.unexplained, every))
        return Diagnosis(
            well=not wrong,
            findings=wrong,
            gateway=list(asked.shown),
            others=[OtherCheckout(id=one.id, state=State(one.state)) for one in others],
            checkout=found,
        )

    async def system(self) -> SystemDiagnosis:
        """What keeps the shop from selling, and what is stuck; an answer whatever is away."""
        ours, gateway, stuck = await asyncio.gather(
            reasons(self._resources), self._resources.gateway_health.reasons(), self._stuck()
        )
        found = [*ours, *gateway]
        if is_unhealthy(found):
            return SystemDiagnosis(status="unhealthy", reasons=found, stuck=stuck)
        return SystemDiagnosis(status="degraded" if found else "healthy", reasons=found, stuck=stuck)

    async def _checkout_of(self, subject: str) -> str:
        if subject.startswith("chk_"):
            return subject
        found = None
        if subject.startswith("cart_"):
            # The latest may have no row yet: then Temporal alone knows of it.
            with contextlib.suppress(Problem):
                run = await self._engine.latest_run(subject)
                found = run.checkout_id if run else None
            if not found:
                found = await self._database.read(lambda session: inconsistent.latest_of_cart(session, subject))
        else:
            found = await self._database.read(lambda session: inconsistent.checkout_of_order(session, subject))
        if not found:
            raise Problem("checkout_not_found", f"No checkout, no cart that has one, and no order is called {subject}.")
        return found

    async def _polling(self) -> bool | None:
        try:
            return await self._temporal_health.worker_polling()
        except Problem:
            return None

    async def _stuck(self) -> list[ListedCheckout] | None:
        try:
            return (await self._listing.checkouts(CheckoutsQuery(stuck=True, limit=STUCK))).items
        except Problem:
            return None


async def diagnosing(resources: ResourcesDep) -> Diagnosing:
    """The application's diagnoses."""
    return Diagnosing(resources)


DiagnosingDep = Annotated[Diagnosing, Depends(diagnosing)]
