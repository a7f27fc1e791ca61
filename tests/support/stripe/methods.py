"""PaymentMethods: all test cards, tokens that become one once, and that each pays once."""

from typing import Any

from localstripe import resources

from tests.support.stripe.cards import BY_NUMBER, CARDS, Card
from tests.support.stripe.errors import ApiError, missing


class Method(resources.PaymentMethod):  # type: ignore[misc]
    """Knows all test cards, and makes a PaymentMethod of a token once (api/payment_methods/create, ``card``)."""

    @classmethod
    def _api_create(cls, **data: Any) -> Any:
        token = (data.get("card") or {}).get("token")
        if token is None:
            return super()._api_create(**data)
        found = resources.store.get(f"token:{token}")
        if found is None:
            raise ApiError(400, "resource_missing", f"No such token: '{token}'", param="card[token]")
        if getattr(found, "_used", False):
            raise ApiError(400, "token_already_used", "You cannot use a token more than once.", param="card[token]")
        found._used = True
        return cls(type="card", card=_details(found.card._card_number))

    @classmethod
    def _try_get_canonical_test_article(cls, id: str) -> Any:  # noqa: A002 - localstripe's
        return cls(type="card", card=_details(CARDS[id].number)) if id in CARDS else None

    def _behaviour(self) -> Card:
        """What the card does; a number that is none of the test cards' is good."""
        return BY_NUMBER.get(self._card_number, CARDS["pm_card_visa"])

    def _charging_is_declined(self) -> bool:
        return self._behaviour().code is not None


def method_of(id: str | None) -> Any:  # noqa: A002 - as localstripe calls it
    """The PaymentMethod that a parameter names."""
    try:
        return Method._api_retrieve(id)
    except resources.UserError:
        raise missing("payment_method", str(id), 400) from None


def use(method: Any) -> None:
    """api/payment_methods/attach: without a Customer it can be used once. The error has neither code nor parameter."""
    if getattr(method, "_used", False):
        message = "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment."
        raise resources.UserError(400, message)
    method._used = True


def _details(number: str) -> dict[str, str]:
    return {"number": number, "exp_month": "12", "exp_year": "2040", "cvc": "123"}
