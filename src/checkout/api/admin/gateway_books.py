"""Asks the payment gateway what it knows of a checkout's payments; nothing is changed there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from checkout.activities.judging import judge
from checkout.api.admin.findings import GATEWAY_AWAY
from checkout.api.admin.gateway_health import GATEWAY_WAIT
from checkout.api.database import Database
from checkout.api.models.admin_checkout import PaymentShown
from checkout.api.models.diagnosis import AtGateway
from checkout.domain.reconciliation import Finding
from checkout.payments.adapters import connect_gateway
from checkout.payments.port import Gateway, GatewayError, Payment, Unavailable
from checkout.runtime.settings import Settings, SettingsError
from checkout.store.reconciling import known_payments


@dataclass(frozen=True)
class Asked:
    """The payments as the gateway has them, and what is out of place about them as reconciliation sees it."""

    shown: Sequence[AtGateway] = ()
    unexplained: Sequence[Finding] = ()


class GatewayBooks:
    """The gateway's side of the books."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def of(self, attempts: Sequence[PaymentShown]) -> Asked:
        """What the gateway says of attempts that have an object there, and beside it what the shop says."""
        there = [one for one in attempts if one.gateway_reference is not None]
        if not there:
            return Asked()
        try:
            async with self._gateway() as gateway:
                return await self._compare(gateway, there)
        except SettingsError as missing:
            return Asked([_not_asked(one, str(missing)) for one in there])

    @contextlib.asynccontextmanager
    async def _gateway(self) -> AsyncIterator[Gateway]:
        """Raises SettingsError where this process lacks what it is asked with."""
        gateway = connect_gateway(self._settings)
        try:
            yield gateway
        finally:
            await gateway.close()

    async def _compare(self, gateway: Gateway, attempts: Sequence[PaymentShown]) -> Asked:
        wanted = [(str(one.gateway_reference), "") for one in attempts]
        # In this order: what the shop knew before, the gateway's word, what the shop knows after (see `judge`).
        before = await self._database.read(lambda session: known_payments(session, gateway.name, wanted))
        answers = await asyncio.gather(*(_ask(gateway, one) for one in attempts))
        after = await self._database.read(lambda session: known_payments(session, gateway.name, wanted))
        payments = [answer for answer in answers if isinstance(answer, Payment)]
        return Asked(
            [
                _known(one, answer) if isinstance(answer, Payment) else answer
                for one, answer in zip(attempts, answers, strict=True)
            ],
            [
                finding
                for payment in payments
                for finding in judge(payment, before[payment.payment_id], after[payment.payment_id])
            ],
        )


async def _ask(gateway: Gateway, attempt: PaymentShown) -> Payment | AtGateway:
    """The payment, or why there is none to be shown."""
    if attempt.gateway != gateway.name:
        return _not_asked(attempt, f"It was made at {attempt.gateway}, and the shop's gateway is {gateway.name}")
    try:
        async with asyncio.timeout(GATEWAY_WAIT):
            return await gateway.fetch(str(attempt.gateway_reference))
    except (Unavailable, TimeoutError) as error:
        return _without(attempt, "away", f"{GATEWAY_AWAY}: {str(error) or 'timeout'}")
    except GatewayError as refusal:
        return _without(attempt, "unknown", f"The gateway does not know it: {refusal}")


def _not_asked(attempt: PaymentShown, why: str) -> AtGateway:
    return _without(attempt, "not_asked", why)


def _without(attempt: PaymentShown, answer: str, note: str) -> AtGateway:
    return AtGateway.model_validate(
        {"attempt_id": attempt.id, "payment_id": attempt.gateway_reference, "answer": answer, "note": note}
    )


def _known(attempt: PaymentShown, payment: Payment) -> AtGateway:
    return AtGateway(
        attempt_id=attempt.id,
        payment_id=payment.payment_id,
        answer="known",
        status=payment.status.value,
        currency=payment.currency,
        amount=payment.amount,
        authorized=payment.authorized,
        captured=payment.captured,
        refunded=payment.refunded,
        voided=payment.voided,
    )
