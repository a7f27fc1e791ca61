"""Guessing an admin's token: after so many wrong ones from an address, none from there is looked at for a while."""

import math
import time
from collections import Counter

import structlog
from limits import RateLimitItem, parse
from starlette.datastructures import Address

from checkout.api.problems import Problem
from checkout.api.protection.addresses import hash_of, network_of
from checkout.api.protection.windows import Windows
from checkout.api.tally import Tally
from checkout.runtime.settings import Settings

log = structlog.get_logger(__name__)

LIMIT = "rate_limit_wrong_tokens"
#: Addresses of which a process remembers that they are refused.
MOST_ADDRESSES = 10_000


class Guesses:
    """Wrong tokens by address. All processes of the API count together; each remembers by itself whom it refuses.

    So a right token costs no statement, and a process lets one wrong token more than the limit be looked at.
    """

    def __init__(self, settings: Settings, windows: Windows, tally: Tally) -> None:
        rate = settings.rate_limit_wrong_tokens
        self._item = None if rate == "off" else parse(rate)
        self._key = settings.secret("secret_key")
        self._windows, self._tally = windows, tally
        self._refused_until: dict[str, float] = {}
        self._being_counted: Counter[str] = Counter()

    def look(self, client: Address | None) -> None:
        """Before a token of this client is looked at. Raises Problem ``rate_limited`` where none is."""
        if self._item is None:
            return
        address = _address(client)
        wait = self._refused_until.get(address, 0) - time.monotonic()
        # Those that came at once and are still being counted are guesses as well.
        if wait <= 0 and self._being_counted[address] >= self._item.amount:
            wait = 1
        if wait > 0:
            raise self._refusal(self._item, wait)

    async def wrong(self, client: Address | None) -> None:
        """Count a token that is nobody's. Raises Problem ``rate_limited``, and 503 where it cannot be counted."""
        if self._item is None:
            return
        address = _address(client)
        self._being_counted[address] += 1
        try:
            wait = await self._windows.hit(self._item, LIMIT, "address", hash_of(self._key, "address", address))
        finally:
            self._being_counted[address] -= 1
            self._being_counted += Counter()  # without those at zero
        if wait is not None:
            log.warning("wrong_admin_tokens", address=address, limit=self._item.amount, refused_for=round(wait, 1))
            self._refuse(address, wait)
            raise self._refusal(self._item, wait)

    def _refuse(self, address: str, wait: float) -> None:
        if len(self._refused_until) >= MOST_ADDRESSES:
            now = time.monotonic()
            self._refused_until = {kept: until for kept, until in self._refused_until.items() if until > now}
        if len(self._refused_until) < MOST_ADDRESSES:
            self._refused_until[address] = time.monotonic() + wait

    def _refusal(self, item: RateLimitItem, wait: float) -> Problem:
        self._tally.rate_limit_hit(LIMIT)
        amount, seconds = item.amount, item.get_expiry()
        return Problem(
            "rate_limited",
            f"More than {amount} wrong tokens came from this address in {seconds} s. Send the right one in "
            f"{max(1, math.ceil(wait))} s.",
            context={"of": "address", "limit": amount, "seconds": seconds},
            retry_after=wait,
            headers={"X-RateLimit-Limit": str(amount), "X-RateLimit-Remaining": "0"},
        )


def _address(client: Address | None) -> str:
    return network_of(None if client is None else client.host)
