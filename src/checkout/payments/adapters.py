"""Which adapter stands behind the port: the one place that reads the settings of the gateways."""

from checkout.payments.port import Gateway
from checkout.payments.simulated.client import SimulatedGateway
from checkout.runtime.settings import Settings


def connect_gateway(settings: Settings) -> Gateway:
    """The gateway that ``settings.payment_gateway`` names; nothing connects before the first call. Close it at the end.

    Raises SettingsError where its key is missing.
    """
    return SimulatedGateway(settings.gateway_url, settings.secret("gateway_api_key"))
