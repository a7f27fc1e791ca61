"""What the conformance suite needs beside an adapter: cards that do what a test is about, and the buyer's part.

A new adapter brings a harness of its own (``ADAPTERS`` in ``conftest.py``). What its gateway has no card or no method
for is left out of it, and the tests about it are skipped, named.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import pytest

from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Payment

KEYS = AttemptKeys("chk_1", "pay_1")


class Case(StrEnum):
    """What a payment is to do; a harness knows the method and the token that make a gateway do it."""

    GOOD = "is authorized and captured"
    DECLINED = "is declined"
    INSUFFICIENT_FUNDS = "is declined for want of funds"
    EXPIRED = "is declined as expired"
    UNPROCESSED = "nobody can decide about"
    UNKNOWN_TOKEN = "has a token that looks right and is unknown"
    CAPTURE_REFUSED = "is authorized, and its capture is refused"
    OUTAGE = "fails twice before it is authorized"
    PARTIAL = "is authorized for half of the amount"
    APPROVAL = "has to be approved by its holder (3-D Secure)"
    REDIRECT = "is approved at another place (a wallet)"
    TRANSFER = "is a bank transfer"


@dataclass(frozen=True)
class Harness:
    """An adapter under test. Amounts in minor units.

    ``cases``: (method, token) of each case that the gateway can be made to do. ``act(payment, outcome, amount)``: what
    the buyer or his bank does, ``approve``, ``deny`` or ``funds_received``. ``webhook(payment)``: headers and body of
    an event of this payment as the gateway would send it now, signed.
    """

    gateway: Gateway
    cases: Mapping[Case, tuple[str, str | None]]
    act: Callable[[Payment, str, int | None], Awaitable[None]]
    webhook: Callable[[Payment], tuple[dict[str, str], bytes]]

    async def create(self, case: Case = Case.GOOD, *, amount: int = 5938, key: str = KEYS.create()) -> Payment:
        """The payment object of checkout ``chk_1``, attempt ``pay_1``: 59.38 EUR. Skips what the gateway cannot do."""
        if case not in self.cases:
            pytest.skip(f"{self.gateway.name} has no payment that {case}")
        method, token = self.cases[case]
        return await self.gateway.create(
            checkout_id="chk_1",
            attempt_id="pay_1",
            currency="EUR",
            amount=amount,
            method=method,
            token=token,
            key=key,
        )
