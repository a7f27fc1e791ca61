"""What a buyer may pay with, checked before anything is stored: what is refused here costs no attempt."""

from checkout.api.models.checkouts import Payment
from checkout.api.problems import Problem
from checkout.api.validation import FieldError
from checkout.payments.adapters import methods_of
from checkout.payments.methods import BadPayment, check_payment
from checkout.runtime.settings import Settings


def check_can_pay(settings: Settings, payment: Payment, where: str = "") -> None:
    """Raise Problem 422 where the shop's gateway has no such method or the token is none of its own.

    ``where``: the path of the payment in the request's body, with its point, such as ``payment.``.
    """
    try:
        check_payment(methods_of(settings), payment.method, payment.token)
    except BadPayment as bad:
        field = where + bad.field
        raise Problem("validation_failed", f"Not valid: {field}.", errors=[FieldError(field, bad.message)]) from None
