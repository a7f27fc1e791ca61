"""PaymentIntents with manual capture, their charges and refunds, as https://docs.stripe.com/api says of them."""

from typing import Any, Self

from localstripe import resources

from tests.support.stripe.errors import ApiError, missing, unexpected_state
from tests.support.stripe.methods import method_of, use
from tests.support.stripe.webhooks import tell

#: Where this server is reached; buyers are sent there for 3-D Secure.
address = {"base": ""}
#: https://docs.stripe.com/currencies#three-decimal.
_THREE_DECIMALS = {"bhd", "jod", "kwd", "omr", "tnd"}


class Charge(resources.Charge):  # type: ignore[misc]
    """A charge that is authorized and captured apart.

    Neither a partial capture nor a cancellation refunds anything (changelog of 2025-03-31, "Partially capturing or
    canceling payments no longer creates a Refund").
    """

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self.amount_captured = 0

    @property
    def refunds(self) -> None:
        """Only where it is expanded (changelog of 2022-11-15), which nobody does here."""

    @property
    def amount_refunded(self) -> int:
        """What all refunds of the charge come to."""
        refunds = (one for key, one in resources.store.items() if key.startswith("refund:"))
        return sum(refund.amount for refund in refunds if refund.charge == self.id)


class Refund(resources.Refund):  # type: ignore[misc]
    """Refunds add up to what was captured at most (api/refunds/create)."""

    def __init__(self, payment_intent: Any = None, amount: Any = None, metadata: Any = None, **data: Any) -> None:
        intent = Intent._api_retrieve(payment_intent)
        if intent.status != "succeeded":
            message = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
            raise ApiError(400, "payment_intent_unexpected_state", message)
        charge = intent._charge()
        left = charge.amount_captured - charge.amount_refunded
        amount = left if amount is None else int(amount)
        if not left:
            raise ApiError(400, "charge_already_refunded", f"Charge {charge.id} has already been refunded.")
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise ApiError(400, "amount_too_large", message, param="amount")
        super().__init__(charge=charge.id, amount=amount, metadata=metadata, **data)
        self.payment_intent = intent.id
        tell("charge.refunded", charge)

    @classmethod
    def _api_list_all(
        cls, url: str, payment_intent: Any = None, limit: Any = None, starting_after: Any = None, **rest: Any
    ) -> Any:
        """api/refunds/list, of one PaymentIntent."""
        _no(rest)
        page = resources.List(url, limit=limit, starting_after=starting_after)
        refunds = [one for key, one in reversed(resources.store.items()) if key.startswith("refund:")]
        page._list = [one for one in refunds if one.payment_intent == payment_intent]
        return page


class Intent(resources.PaymentIntent):  # type: ignore[misc]
    """A PaymentIntent whose ``latest_charge`` is an id that can be expanded."""

    next_action: dict[str, Any] | None
    payment_method: str | None

    def __init__(self, **data: Any) -> None:
        if "payment_method_types" in data:  # changelog of 2026-09-30
            raise ApiError(400, "payment_method_types_no_longer_supported", "Use allowed_payment_method_types.")
        allowed = data.pop("allowed_payment_method_types", None)
        given = data.pop("payment_method", None)
        if (
            str(data.get("currency")) in _THREE_DECIMALS and int(data.get("amount", 0)) % 10
        ):  # docs.stripe.com/currencies
            raise ApiError(400, "invalid_request", "The last digit has to be 0.", param="amount")
        method = None if given is None else method_of(given)
        if getattr(method, "_used", False):
            use(method)
        super().__init__(payment_method=None if method is None else method.id, **data)
        self.payment_method_types = allowed or ["card"]
        self.amount_capturable = 0
        self.return_url: str | None = None
        self._failure: dict[str, Any] | None = None
        self._looks = 0
        self._outages = 0 if method is None else method._behaviour().outages

    @property
    def status(self) -> str:
        """https://docs.stripe.com/payments/paymentintents/lifecycle."""
        if self._canceled:
            return "canceled"
        if self.next_action:
            return "requires_action"
        if self._looks:
            return "processing"
        if self.latest_charge is not None and self._charge().captured:
            return "succeeded"
        if self.amount_capturable:
            return "requires_capture"
        return "requires_confirmation" if self.payment_method else "requires_payment_method"

    @property
    def amount_received(self) -> int:
        """What was captured."""
        return 0 if self.latest_charge is None else int(self._charge().amount_captured)

    @property
    def charges(self) -> None:
        """Not part of the object any more (changelog of 2022-11-15)."""

    @property
    def last_payment_error(self) -> dict[str, Any] | None:
        """Why the last try failed; gone with the next one."""
        return self._failure

    @classmethod
    def _api_retrieve(cls, id: str) -> Any:  # noqa: A002 - localstripe's
        found = resources.store.get(f"payment_intent:{id}")
        if found is None:
            raise missing("payment_intent", id)
        found._looks = max(0, found._looks - 1)
        return found

    @classmethod
    def _api_confirm(cls, id: str, payment_method: Any = None, return_url: Any = None, **rest: Any) -> Self:  # noqa: A002
        """api/payment_intents/confirm: a payment method may be given here too, and where the buyer comes back to."""
        _no(rest)
        intent: Self = cls._api_retrieve(id)
        if intent.status not in {"requires_confirmation", "requires_payment_method"}:
            raise unexpected_state(id, intent.status, "confirmed")
        if payment_method is not None:
            intent.payment_method = method_of(payment_method).id
        if intent.payment_method is None:
            raise unexpected_state(id, intent.status, "confirmed: it is missing a payment method")
        if intent._outages:
            intent._outages -= 1
            raise ApiError(503, "api_error", "Stripe is overloaded.", "api_error")
        intent._failure = None
        if method_of(intent.payment_method)._behaviour().authenticates:
            intent._ask_the_buyer(return_url)
        else:
            intent._authorize()
        return intent

    @classmethod
    def _api_capture(cls, id: str, amount_to_capture: Any = None, **rest: Any) -> Self:  # noqa: A002 - localstripe's
        """api/payment_intents/capture: once, at most what is capturable; the rest is let go."""
        _no(rest)
        intent: Self = cls._api_retrieve(id)
        if intent.status == "requires_capture" and method_of(intent.payment_method)._behaviour().lapses:
            intent._cancel("expired")
        if intent.status != "requires_capture":
            raise unexpected_state(id, intent.status, "captured")
        amount = intent.amount_capturable if amount_to_capture is None else int(amount_to_capture)
        if not 0 < amount <= intent.amount_capturable:
            message = "The amount to capture is more than what is capturable."
            raise ApiError(400, "amount_too_large", message, param="amount_to_capture")
        charge = intent._charge()
        charge.captured, charge.amount_captured, intent.amount_capturable = True, amount, 0
        tell("payment_intent.succeeded", intent)
        return intent

    @classmethod
    def _api_cancel(cls, id: str, **rest: Any) -> Self:  # noqa: A002 - localstripe's
        """api/payment_intents/cancel: what is capturable is let go."""
        rest.pop("cancellation_reason", None)
        _no(rest)
        intent: Self = cls._api_retrieve(id)
        if intent.status in {"canceled", "succeeded"}:
            raise unexpected_state(id, intent.status, "canceled")
        intent._cancel("requested_by_customer")
        return intent

    @classmethod
    def _api_list_all(
        cls, url: str, created: Any = None, limit: Any = None, starting_after: Any = None, **rest: Any
    ) -> Any:
        """api/payment_intents/list: newest first, filtered by ``created``; 100 at most (api/pagination)."""
        _no(rest)
        if limit is not None and not 1 <= int(limit) <= 100:
            raise ApiError(400, "parameter_invalid_integer", "limit is from 1 to 100.", param="limit")
        page = resources.List(url, limit=limit, starting_after=starting_after)
        compared = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}
        wanted = created if isinstance(created, dict) else {}
        page._list = [
            one
            for key, one in reversed(resources.store.items())
            if key.startswith("payment_intent:")
            and all(getattr(one.created, compared[name])(int(value)) for name, value in wanted.items())
        ]
        return page

    def _authenticated(self, approved: bool) -> None:
        """The buyer has answered (payments/3d-secure). Raises where he is not asked (any more)."""
        if self.status != "requires_action":
            raise unexpected_state(self.id, self.status, "authenticated")
        self.next_action = None
        try:
            if approved:
                self._authorize()
            else:
                self._fail("payment_intent_authentication_failure", None, "invalid_request_error")
        except ApiError:
            pass  # the shop learns of it from the event

    def _charge(self) -> Any:
        return resources.store[f"charge:{self.latest_charge}"]

    def _ask_the_buyer(self, return_url: str | None) -> None:
        if return_url is None:  # api/payment_intents/object, next_action: without it only Stripe.js can go on
            self.next_action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        else:
            redirect = {"url": f"{address['base']}/_config/3ds/{self.id}", "return_url": return_url}
            self.next_action = {"type": "redirect_to_url", "redirect_to_url": redirect}
        tell("payment_intent.requires_action", self)

    def _authorize(self) -> None:
        method = method_of(self.payment_method)
        use(method)
        card = method._behaviour()
        amount = self.amount * card.percent // 100
        charge = Charge(amount=amount, currency=self.currency, source=self.payment_method, capture=False)
        charge.payment_intent, charge.metadata = self.id, dict(self.metadata)
        self.latest_charge = charge.id
        if card.code is not None:
            charge.status, charge.failure_code = "failed", card.code
            self._fail(card.code, card.decline_code)
        charge.status = "succeeded"
        self.amount_capturable, self._looks = amount, card.looks
        tell("payment_intent.amount_capturable_updated", self)

    def _fail(self, code: str, decline_code: str | None, kind: str = "card_error") -> None:
        """https://docs.stripe.com/payments/paymentintents/lifecycle: another payment method is required."""
        self._failure = {"type": kind, "code": code, "message": "It was declined.", "charge": self.latest_charge}
        if decline_code is not None:
            self._failure["decline_code"] = decline_code
        self.payment_method = None
        tell("payment_intent.payment_failed", self)
        rest = {name: value for name, value in self._failure.items() if name not in {"type", "code", "message"}}
        raise ApiError(402, code, "It was declined.", kind, payment_intent=self._export(), **rest)

    def _cancel(self, reason: str) -> None:
        self._canceled, self.next_action, self.amount_capturable = True, None, 0
        self.cancellation_reason = reason
        tell("payment_intent.canceled", self)


def _no(rest: dict[str, Any]) -> None:
    if rest:
        raise ApiError(400, "parameter_unknown", f"Received unknown parameters: {', '.join(rest)}")
