"""The adapter to Stripe: the port's operations on PaymentIntents, by Stripe's own library.

One PaymentIntent is one payment attempt: created with the buyer's payment method and not confirmed, so that its id is
stored before it can hold money; captured by hand (``capture_method=manual``).
"""

import re
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

import aiohttp
import stripe
from stripe.params import PaymentIntentConfirmParams, PaymentIntentListParamsCreated

from checkout.payments.events import TOLERANCE, BadSignature, Event
from checkout.payments.methods import Method
from checkout.payments.port import DeclineCode, Declined, GatewayStatus, Payment, Refused, Unavailable
from checkout.payments.stripe.amounts import to_stripe
from checkout.payments.stripe.calls import FRESH_KEYS, ask, change
from checkout.payments.stripe.objects import event_of, is_ours, payment_of
from checkout.runtime.stripe_keys import is_live
from checkout.runtime.tracing import client_traces

#: What this adapter is written for, whatever version the account has: the one of the library that is pinned.
API_VERSION = "2026-10-28.endive"
API_BASE = "https://api.stripe.com"
#: Seconds for a whole call, and for the connection alone. Stripe asks the buyer's bank meanwhile.
TOTAL_TIMEOUT = 20.0
CONNECT_TIMEOUT = 3.0
#: The library repeats nothing by itself: Temporal does, where ops see why, with the same idempotency keys.
NETWORK_RETRIES = 0
#: Seconds of creation time that are listed at once. Stripe lists the newest first, the port the oldest.
WINDOW = 3600
PAGE = 100

_CHARGE = "latest_charge"
_SIGNATURE = "stripe-signature"


class StripeGateway:
    """The port, spoken to Stripe (see ``payments/port.py`` for what each operation promises).

    Keeps one pool of connections, made with the first call; ``close`` it, or use it as an async context manager.
    """

    name = "stripe"
    #: A PaymentMethod, or what Stripe.js calls a token: never a name that test cards have elsewhere, nor a card number.
    methods = (
        Method(
            name="card",
            token=re.compile(r"(?!\w*\d{13})(?:pm_[0-9A-Za-z_]{1,200}|tok_(?=[A-Za-z]*[0-9])[0-9A-Za-z]{22,200})"),
            example="pm_card_visa",
        ),
    )

    def __init__(
        self,
        secret_key: str,
        *,
        webhook_secret: str | None = None,
        api_base: str = API_BASE,
        timeout: float = TOTAL_TIMEOUT,
    ) -> None:
        self._secret_key, self._webhook_secret = secret_key, webhook_secret
        self._api_base = api_base.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT)
        self._session: aiohttp.ClientSession | None = None
        self._client: stripe.StripeClient | None = None

    async def create(
        self, *, checkout_id: str, attempt_id: str, currency: str, amount: int, method: str, token: str | None, key: str
    ) -> Payment:
        if method != "card" or token is None:
            raise Refused("method_not_supported", f"Stripe takes cards here, and {method} is asked for")
        wanted = to_stripe(amount, currency)
        payment_method = token if token.startswith("pm_") else await self._payment_method(token, key)
        intent = await change(
            lambda options: self._stripe.payment_intents.create_async(
                {
                    "amount": wanted,
                    "currency": currency.lower(),
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card"],
                    "payment_method": payment_method,
                    "metadata": {"checkout_id": checkout_id, "attempt_id": attempt_id},
                    "expand": [_CHARGE],
                },
                options,
            ),
            key,
            card_matters=True,
        )
        return payment_of(intent.to_dict())

    async def confirm(self, payment_id: str, *, key: str, return_url: str | None = None) -> Payment:
        params: PaymentIntentConfirmParams = {"expand": [_CHARGE]}
        if return_url is not None:
            params["return_url"] = return_url
        try:
            intent = await change(
                lambda options: self._stripe.payment_intents.confirm_async(payment_id, params, options),
                key,
                card_matters=True,
            )
        except (Refused, Declined) as answer:
            if isinstance(answer, Declined) and answer.payment is not None:
                raise
            return await self._confirmed_before(payment_id, answer)
        payment = payment_of(intent.to_dict())
        if payment.status is GatewayStatus.PENDING:
            payment = await self.fetch(payment_id)
        if payment.status is GatewayStatus.PENDING:
            raise Unavailable("Stripe is still processing the payment")
        return payment

    async def capture(self, payment_id: str, *, amount: int, key: str) -> Payment:
        wanted = to_stripe(amount, (await self.fetch(payment_id)).currency)
        try:
            intent = await change(
                lambda options: self._stripe.payment_intents.capture_async(
                    payment_id, {"amount_to_capture": wanted, "expand": [_CHARGE]}, options
                ),
                key,
            )
        except Refused as refusal:
            payment = await self.fetch(payment_id)
            if not payment.captured or payment.captured != amount:
                raise refusal from None
            return payment
        return payment_of(intent.to_dict())

    async def cancel(self, payment_id: str, *, key: str) -> Payment:
        try:
            intent = await change(
                lambda options: self._stripe.payment_intents.cancel_async(payment_id, {"expand": [_CHARGE]}, options),
                key,
            )
        except Refused as refusal:
            payment = await self.fetch(payment_id)
            if payment.status is not GatewayStatus.VOIDED:
                raise refusal from None
            return payment
        return payment_of(intent.to_dict())

    async def refund(self, payment_id: str, *, amount: int, key: str) -> Payment:
        before = await self.fetch(payment_id)
        if not before.captured:
            raise Refused("not_captured", "nothing was captured that could be refunded")
        wanted = to_stripe(amount, before.currency)
        metadata = {"checkout_id": before.checkout_id, "attempt_id": before.attempt_id, "key": key}
        refund = await self._refund_of(payment_id, key)
        if refund is None:
            refund = await change(
                lambda options: self._stripe.refunds.create_async(
                    {"payment_intent": payment_id, "amount": wanted, "metadata": metadata}, options
                ),
                key,
                # A part that Stripe kept a fault for may still come, beside another; of all that is left only one can.
                fresh_keys=FRESH_KEYS if amount == before.captured - before.refunded else 0,
            )
        if refund.amount != wanted:
            raise Refused("idempotency_key_reused", f"{refund.id} has this key, and another amount")
        if refund.status in {"failed", "canceled"}:
            raise Refused("refund_failed", f"the refund {refund.id} is {refund.status}")
        return await self.fetch(payment_id)

    async def return_unowed(self, payment_id: str, *, amount: int, key: str) -> Payment:  # noqa: ARG002 - the port's
        raise Refused("not_supported", "cards only: nothing that nobody owed ever comes")

    async def fetch(self, payment_id: str) -> Payment:
        intent = await ask(lambda: self._stripe.payment_intents.retrieve_async(payment_id, {"expand": [_CHARGE]}))
        return payment_of(intent.to_dict())

    async def list_payments(self, *, since: datetime) -> AsyncIterator[Payment]:
        begin, now = int(since.timestamp()), time.time()
        while True:
            created: PaymentIntentListParamsCreated = {"gte": begin}
            if begin + WINDOW <= now:
                created["lt"] = begin + WINDOW
            for payment in reversed(await ask(partial(self._created, created))):
                yield payment
            if "lt" not in created:
                return
            begin += WINDOW

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> Event:
        given = {name.lower(): value for name, value in headers.items()}
        try:
            event = stripe.Webhook.construct_event(
                body, given.get(_SIGNATURE), self._webhook_secret, tolerance=TOLERANCE
            ).to_dict()
            if event["livemode"] is not is_live(self._secret_key):
                raise BadSignature("an event of live mode for a key of test mode, or the other way round")
            return event_of(event)
        except stripe.SignatureVerificationError as error:
            raise BadSignature(str(error.user_message)) from None
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise BadSignature(f"no event: {type(error).__name__}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = self._client = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def _stripe(self) -> stripe.V1Services:
        if self._client is None:
            # It would name this machine to Stripe, and keep an id in the home directory.
            stripe.enable_telemetry = False
            self._session = aiohttp.ClientSession(trace_configs=client_traces())
            self._client = stripe.StripeClient(
                self._secret_key,
                stripe_version=API_VERSION,
                base_addresses={"api": self._api_base},
                max_network_retries=NETWORK_RETRIES,
                http_client=stripe.AIOHTTPClient(timeout=self._timeout, session=self._session),
            )
        return self._client.v1

    async def _confirmed_before(self, payment_id: str, answer: Refused | Declined) -> Payment:
        """The payment, where a confirm was answered so because an earlier one counts; raises what else it comes to."""
        payment = await self.fetch(payment_id)
        if payment.status in {GatewayStatus.AUTHORIZED, GatewayStatus.REQUIRES_ACTION}:
            return payment
        if payment.status is GatewayStatus.DECLINED:
            raise Declined(payment.decline_code or DeclineCode.CARD_DECLINED, payment) from None
        if payment.status is GatewayStatus.PENDING:
            raise Unavailable("Stripe is still processing the payment") from None
        if payment.status is GatewayStatus.CREATED or isinstance(answer, Refused):
            raise answer from None
        raise Refused("not_confirmable", f"the payment is {payment.status}") from None

    async def _refund_of(self, payment_id: str, key: str) -> stripe.Refund | None:
        """The refund that was made under a key, also where Stripe kept a fault for it or has forgotten the key."""

        async def look() -> stripe.Refund | None:
            page = await self._stripe.refunds.list_async({"payment_intent": payment_id, "limit": PAGE})
            refunds = [refund async for refund in page.auto_paging_iter()]
            return next((refund for refund in refunds if (refund.to_dict()["metadata"] or {}).get("key") == key), None)

        return await ask(look)

    async def _payment_method(self, token: str, key: str) -> str:
        """The PaymentMethod that a token becomes, once: a token can be used no second time."""
        method = await change(
            lambda options: self._stripe.payment_methods.create_async(
                {"type": "card", "card": {"token": token}}, options
            ),
            f"{key}:method",
            card_matters=True,
        )
        return method.id

    async def _created(self, created: PaymentIntentListParamsCreated) -> list[Payment]:
        """Our payments that were created in a stretch of time (Unix seconds), newest first."""
        page = await self._stripe.payment_intents.list_async(
            {"created": created, "limit": PAGE, "expand": [f"data.{_CHARGE}"]}
        )
        intents = [intent.to_dict() async for intent in page.auto_paging_iter()]
        return [payment_of(intent) for intent in intents if is_ours(intent)]
