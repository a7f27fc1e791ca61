"""Refunds after the sale: kept, given to their workflow, and waited for a while."""

from typing import Annotated

from fastapi import Depends

from checkout.api.calls import Ended, StillRunning
from checkout.api.idempotency import key_reused
from checkout.api.models.refunds import RefundedOrder, RefundOrder
from checkout.api.resources import Resources, ResourcesDep
from checkout.api.shown_order import refunded_answer
from checkout.domain import ids
from checkout.domain.refunds import RefundInput
from checkout.store import orders, refunds


class Refunds:
    """Orders as ops see them, and the money that goes back."""

    def __init__(self, resources: Resources) -> None:
        self._database, self._beside = resources.database, resources.beside

    async def order(self, reference: str) -> RefundedOrder:
        """The order with its refunds. Raises NotFound ``order_not_found``."""
        record = await self._database.read(lambda session: orders.read_any_order(session, reference))
        found = await self._database.read(lambda session: refunds.refunds_of(session, reference))
        return refunded_answer(record, found)

    async def refund(
        self, reference: str, wanted: RefundOrder, *, key: str | None, who: str
    ) -> tuple[int, RefundedOrder]:
        """200 with the order once the money went back, 202 while that takes longer.

        The row comes first: histories carry its id alone, and whoever asks again with the same key meets it. Raises
        Problem where it cannot be done, NotFound.
        """
        refund_id = ids.refund_id(reference, key)
        asked = refunds.Asked(
            refund_id=refund_id,
            order_reference=reference,
            amount=wanted.amount,
            lines=None if wanted.lines is None else [line.model_dump() for line in wanted.lines],
            restock=wanted.restock,
            reason=wanted.reason,
            requested_by=who,
        )
        if not await self._database.write(lambda session: refunds.ask(session, asked)):
            # Also beyond the time for which other requests' keys are kept: a refund keeps its own for ever.
            raise key_reused()
        status = 200
        try:
            await self._beside.refund(RefundInput(refund_id, reference))
        except (StillRunning, Ended):
            status = 202
        return status, await self.order(reference)


async def refunding(resources: ResourcesDep) -> Refunds:
    """The application's refunds."""
    return Refunds(resources)


RefundsDep = Annotated[Refunds, Depends(refunding)]
