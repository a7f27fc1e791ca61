"""Sends back money that nobody owed, and tells ops: a row for each return, and a line in the log."""

from dataclasses import dataclass

import structlog

from checkout.activities.errors import performs
from checkout.activities.gateway_calls import at_gateway, people_have_to
from checkout.domain import contract
from checkout.domain.messages import Returned, UnowedInput
from checkout.payments.keys import AttemptKeys
from checkout.payments.port import Gateway, Refused
from checkout.runtime.database import Sessions, in_direct_transaction
from checkout.store import gateway_events

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Unowed:
    """What came in beyond what was owed, or too late."""

    sessions: Sessions
    gateway: Gateway

    @performs(contract.RETURN_UNOWED)
    async def give_back(self, given: UnowedInput) -> Returned:
        """Send back all that is unowed of the payment now; 0 where nothing is.

        Such money belongs to no phase of a checkout, so no fence admits it: the gateway's key has both ends of the
        return, and takes each once.

        The row is written before the gateway is asked, so that no return is without one. What the gateway refuses is
        tried again, and people see it until they have resolved it.
        """
        async with at_gateway():
            try:
                payment = await self.gateway.fetch(given.payment_id)
                left = payment.unowed - payment.returned
                if left <= 0:
                    return Returned(0)
                await in_direct_transaction(
                    self.sessions,
                    lambda session: gateway_events.note_unowed(
                        session,
                        gateway=self.gateway.name,
                        payment_id=given.payment_id,
                        checkout_id=given.checkout_id,
                        attempt_id=given.attempt_id,
                        amount=left,
                        returned_until=payment.unowed,
                        currency=payment.currency,
                    ),
                )
                key = AttemptKeys(given.checkout_id, given.attempt_id).return_unowed(
                    returned=payment.returned, until=payment.unowed
                )
                await self.gateway.return_unowed(given.payment_id, amount=left, key=key)
            except Refused as refusal:
                raise people_have_to("send", given.payment_id, refusal, checkout_id=given.checkout_id) from None
        log.warning(
            "unowed_money_returned",
            checkout_id=given.checkout_id,
            payment_id=given.payment_id,
            amount=left,
            currency=payment.currency,
        )
        return Returned(left)
