"""The payment gateway: which one, how long it may take, how it is reached, and when its books are compared."""

from typing import Literal, Self

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import PREFIX, StripeKey, StripePublicKey, Url, seconds, setting, text
from checkout.runtime.stripe_keys import check_together


class PaymentSettings(BaseSettings):
    """Payments, by the simulated gateway or by Stripe."""

    payment_gateway: Literal["simulated", "stripe"] = setting("simulated", "Payment gateway", "simulated or stripe")
    payment_auth_timeout: int = seconds(300, "Seconds after which an authorization is given up", 86_400)
    payment_capture_timeout: int = seconds(3600, "Seconds after which a capture is given up", 604_800)
    funds_timeout: int = seconds(259_200, "Seconds that a bank transfer may take", 7_776_000)
    reconcile_every: int = setting(
        3600,
        "Seconds between two reconciliations with the gateway; 0: none",
        "whole seconds, 0 to 604800",
        ge=0,
        le=604_800,
    )
    reconcile_hours: int = setting(
        24, "Hours back that a scheduled reconciliation looks", "a number, 1 to 8760", ge=1, le=8760
    )
    reconcile_fix: bool = setting(False, "Whether a scheduled reconciliation mends what it finds", "true or false")
    return_url: Url | None = text(
        None,
        "Where buyers come back to from a gateway's page; `{checkout_id}` in it becomes the checkout's id",
        "an http or https URL",
    )
    gateway_url: Url = text("http://127.0.0.1:8001", "Where the payment gateway answers", "an http or https URL")
    gateway_api_key: SecretStr | None = text(
        None, "Key by which the shop authenticates at the payment gateway", "a text that is not empty"
    )
    gateway_public_url: Url | None = text(
        None,
        "Where buyers reach the simulated gateway's pages; unset: where the shop does",
        "an http or https URL",
    )
    gateway_webhook_url: Url | None = text(
        None,
        "Where the simulated gateway sends its events: API, then /payments/webhooks/simulated; unset: nowhere",
        "an http or https URL",
    )
    gateway_webhook_secret: SecretStr | None = text(
        None, "Signs the simulated gateway's events; shop and gateway share it", "a text that is not empty"
    )

    stripe_secret_key: StripeKey | None = text(
        None, "Key by which the shop authenticates at Stripe", "sk_test_…, sk_live_…, or a restricted rk_…"
    )
    stripe_publishable_key: StripePublicKey | None = text(
        None, "The storefront's key; here only so that a mix of test and live is noticed", "pk_test_… or pk_live_…"
    )
    stripe_webhook_secret: StripeKey | None = text(
        None, "Signing secret of the shop's webhook endpoint at Stripe", "whsec_…"
    )
    stripe_api_base: Url = text(
        "https://api.stripe.com", "Where Stripe answers", "an https URL; with a test key also http"
    )

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.stripe_secret_key is not None:
            secret_key = self.stripe_secret_key.get_secret_value()
            check_together(secret_key, self.stripe_publishable_key, self.stripe_api_base, PREFIX)
        return self
