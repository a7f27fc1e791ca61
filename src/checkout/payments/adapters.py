"""Which adapter stands behind the port: the one place that reads the settings of the gateways."""

from collections.abc import Callable, Mapping

from checkout.payments.events import Event
from checkout.payments.methods import Method
from checkout.payments.port import Gateway
from checkout.payments.simulated.client import SimulatedGateway
from checkout.runtime.settings import Settings


def connect_gateway(settings: Settings) -> Gateway:
    """The gateway that ``settings.payment_gateway`` names; nothing connects before the first call. Close it at the end.

    Raises SettingsError where its key is missing.
    """
    return _simulated(settings, settings.secret("gateway_api_key"))


def methods_of(settings: Settings) -> tuple[Method, ...]:  # noqa: ARG001 - the setting has one value so far
    """What buyers may pay with at the gateway that ``settings.payment_gateway`` names; needs no key."""
    return SimulatedGateway.methods


def event_reader(settings: Settings) -> Callable[[Mapping[str, str], bytes], Event]:
    """What reads a webhook of that gateway: gives the event of headers and body, or raises BadSignature.

    Needs the secret of its signatures, and no key to call it with.
    """
    return _simulated(settings, "").parse_event


def _simulated(settings: Settings, api_key: str) -> SimulatedGateway:
    secret = settings.gateway_webhook_secret
    return SimulatedGateway(
        settings.gateway_url,
        api_key,
        webhook_secret=None if secret is None else secret.get_secret_value(),
    )
