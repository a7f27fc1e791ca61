"""Rate limits: so many starts and payments in a time, for each customer or session and for each address."""

import math
from dataclasses import dataclass
from enum import StrEnum

from limits import RateLimitItem, parse

from checkout.api.problems import Problem
from checkout.api.protection.visitors import Visitor
from checkout.api.protection.windows import Windows
from checkout.api.tally import Tally
from checkout.runtime.settings import Settings


class Endpoint(StrEnum):
    """What is limited."""

    START = "start"
    PAYMENT = "payment"


@dataclass(frozen=True)
class Limit:
    """A limit by the name of its setting, under which it counts: an endpoint with a rate of its own by itself."""

    name: str
    item: RateLimitItem
    what: str


class RateLimits:
    """The limits of the settings. A request counts for its customer or session first, then for its address."""

    def __init__(self, settings: Settings, windows: Windows, tally: Tally) -> None:
        self._windows, self._tally = windows, tally
        self._for_subject = {endpoint: _limit(settings, endpoint) for endpoint in Endpoint}
        self._for_address = {endpoint: _limit(settings, endpoint, "_address") for endpoint in Endpoint}

    async def count(self, visitor: Visitor, endpoint: Endpoint) -> None:
        """Let a request through and count it. Raises Problem ``rate_limited``, and 503 where nothing can be counted.

        Who is refused for himself does not use up what others at his address may ask.
        """
        await self._hit(self._for_subject[endpoint], visitor.kind, visitor.subject)
        await self._hit(self._for_address[endpoint], "address", visitor.address)

    async def _hit(self, limit: Limit | None, kind: str, key: str) -> None:
        if limit is None:
            return
        wait = await self._windows.hit(limit.item, limit.name, kind, key)
        if wait is not None:
            self._tally.rate_limit_hit(limit.name)
            raise _refusal(limit, kind, wait)


def _limit(settings: Settings, endpoint: Endpoint, of: str = "") -> Limit | None:
    name, what = f"rate_limit_{endpoint}{of}", f"{endpoint}s"
    if getattr(settings, name) is None:
        name, what = f"rate_limit{of}", "starts and payments together"
    rate: str = getattr(settings, name)
    return None if rate == "off" else Limit(name, parse(rate), what)


def _refusal(limit: Limit, kind: str, wait: float) -> Problem:
    amount, seconds = limit.item.amount, limit.item.get_expiry()
    whose = "from one address" if kind == "address" else f"for each {kind}"
    again = max(1, math.ceil(wait))
    return Problem(
        "rate_limited",
        f"{amount} {limit.what} are taken in {seconds} s {whose}. Send the same request again in {again} s.",
        context={"of": kind, "limit": amount, "seconds": seconds},
        retry_after=again,
        headers={"X-RateLimit-Limit": str(amount), "X-RateLimit-Remaining": "0"},
    )
