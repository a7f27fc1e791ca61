"""Caps: so many checkouts run at once for each customer or session, and from each address."""

from datetime import UTC, datetime

from checkout.api.problems import Problem
from checkout.api.protection.visitors import Visitor
from checkout.api.resources import Resources
from checkout.store import places


class Places:
    """The places of one visitor's checkouts."""

    def __init__(self, resources: Resources, visitor: Visitor) -> None:
        self._database, self._tally, self._visitor = resources.database, resources.tally, visitor
        settings = resources.settings
        self._most = settings.max_running_checkouts
        self._most_of_address = settings.max_running_checkouts_address

    async def take(self, cart_id: str, checkout_id: str, seconds: int) -> None:
        """Take a place for a checkout that is about to be begun, and runs for so many seconds unless it is extended.

        Raises Problem ``too_many_checkouts``.
        """
        if self._most is None and self._most_of_address is None:
            return
        full = await self._database.write_directly(
            lambda session: places.take_place(
                session,
                checkout_id=checkout_id,
                cart_id=cart_id,
                subject=self._visitor.subject,
                address=self._visitor.address,
                seconds=seconds,
                most=self._most,
                most_of_address=self._most_of_address,
            )
        )
        if full is not None:
            raise self._refusal(full)

    async def leave(self, checkout_id: str) -> None:
        """Free the place of a checkout that will never begin; that of any other is freed when it is closed."""
        if self._most is not None or self._most_of_address is not None:
            await self._database.write_directly(lambda session: places.leave_place(session, checkout_id))

    def _refusal(self, full: places.Full) -> Problem:
        by_address = full.of == "address"
        self._tally.rate_limit_hit("max_running_checkouts_address" if by_address else "max_running_checkouts")
        kind, most = ("address", self._most_of_address) if by_address else (self._visitor.kind, self._most)
        whose = "from this address" if by_address else f"of this {kind}"
        return Problem(
            "too_many_checkouts",
            f"{most} checkouts {whose} are running, as many as may at once. Finish or cancel one of them.",
            context={"of": kind, "limit": most},
            retry_after=(full.frees_at - datetime.now(UTC)).total_seconds(),
        )
