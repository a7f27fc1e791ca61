"""The limits before one request."""

from typing import Annotated

from fastapi import Depends

from checkout.api.idempotency import IntentDep
from checkout.api.protection.limiting import Endpoint, RateLimits
from checkout.api.protection.visitors import Visitor, VisitorDep
from checkout.api.resources import ResourcesDep


class Gate:
    """Lets the request of one visitor through, or not."""

    def __init__(self, limits: RateLimits, visitor: Visitor, *, counts: bool) -> None:
        self._limits, self._visitor, self._counts = limits, visitor, counts

    async def enter(self, endpoint: Endpoint) -> None:
        """Count the request. Raises Problem as :meth:`RateLimits.count` does."""
        if self._counts:
            await self._limits.count(self._visitor, endpoint)


async def gate(resources: ResourcesDep, visitor: VisitorDep, intent: IntentDep) -> Gate:
    """The limits before this request; one that goes on with what its first run began was counted then."""
    return Gate(resources.rate_limits, visitor, counts=not intent.repeated)


GateDep = Annotated[Gate, Depends(gate)]
