"""Which adapter stands behind the port: the one place that reads the settings of the gateways."""

import re

from checkout.payments.methods import Method
from checkout.payments.port import Gateway
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.simulated.tokens import CARDS
from checkout.runtime.settings import Settings


def connect_gateway(settings: Settings) -> Gateway:
    """The gateway that ``settings.payment_gateway`` names; nothing connects before the first call. Close it at the end.

    Raises SettingsError where its key is missing.
    """
    secret = settings.gateway_webhook_secret
    return SimulatedGateway(
        settings.gateway_url,
        settings.secret("gateway_api_key"),
        webhook_secret=None if secret is None else secret.get_secret_value(),
    )


def methods_of(settings: Settings) -> tuple[Method, ...]:  # noqa: ARG001 - the setting has one value so far
    """What buyers may pay with at the gateway that ``settings.payment_gateway`` names; needs no key.

    Of its methods those that a checkout can follow to their end: a card that is authorized or declined at once.
    """
    at_once = "|".join(re.escape(token) for token, card in CARDS.items() if not card.approval)
    return (Method(name="card", token=re.compile(at_once), example="tok_visa"),)
