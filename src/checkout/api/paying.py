"""What a buyer may pay with, checked before anything is stored, and stored: what is refused here costs no attempt."""

from checkout.api.database import Database
from checkout.api.models.checkouts import Payment
from checkout.api.problems import invalid
from checkout.api.validation import FieldError
from checkout.domain.ids import new_attempt_id
from checkout.payments.adapters import methods_of
from checkout.payments.methods import BadPayment, check_payment
from checkout.runtime.settings import Settings
from checkout.store import payments


def check_can_pay(settings: Settings, payment: Payment, where: str = "") -> None:
    """Raise Problem 422 where the shop's gateway has no such method or the token is none of its own.

    ``where``: the path of the payment in the request's body, with its point, such as ``payment.``.
    """
    try:
        check_payment(methods_of(settings), payment.method, payment.token)
    except BadPayment as bad:
        raise invalid(FieldError(where + bad.field, bad.message)) from None


class Attempts:
    """Payments that buyers have sent, stored with their tokens: the workflow carries an attempt's id alone (G7)."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._gateway = database, settings.payment_gateway

    async def store(self, checkout_id: str, cart_id: str, payment: Payment) -> str:
        """Keep a payment for a checkout; its attempt's id."""
        attempt_id = new_attempt_id()
        await self._database.write(
            lambda session: payments.add_attempt(
                session,
                attempt_id=attempt_id,
                checkout_id=checkout_id,
                cart_id=cart_id,
                gateway=self._gateway,
                method=payment.method,
                token=payment.token,
            )
        )
        return attempt_id

    async def discard(self, attempt_id: str) -> None:
        """Erase the token of an attempt that no workflow will ever take up."""
        await self._database.write(lambda session: payments.discard_attempt(session, attempt_id))
