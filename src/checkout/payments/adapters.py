"""Which adapter stands behind the port: the one place that reads the settings of the gateways.

Another gateway is one more entry of ``_ADAPTERS``, under its value of the setting ``PAYMENT_GATEWAY``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from checkout.payments.events import Event
from checkout.payments.methods import Method
from checkout.payments.port import Gateway
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.stripe.client import StripeGateway
from checkout.runtime.settings import NeededName, Settings


@dataclass(frozen=True, kw_only=True)
class _Adapter:
    """``make`` an adapter of the settings, which calls nobody yet. ``needs``: the settings without which nothing of the
    shop starts; ``calls_need``: those without which it cannot be called.
    """

    methods: tuple[Method, ...]
    make: Callable[[Settings], Gateway]
    needs: tuple[NeededName, ...] = ()
    calls_need: tuple[NeededName, ...] = ()


def check_gateway(settings: Settings) -> None:
    """Refuse to start without what the gateway that ``settings.payment_gateway`` names needs.

    Raises SettingsError, a line for each setting that is missing.
    """
    settings.require(*_ADAPTERS[settings.payment_gateway].needs)


def connect_gateway(settings: Settings) -> Gateway:
    """The gateway that ``settings.payment_gateway`` names; nothing connects before the first call. Close it at the end.

    Raises SettingsError where its key is missing.
    """
    adapter = _ADAPTERS[settings.payment_gateway]
    settings.require(*adapter.needs, *adapter.calls_need)
    return adapter.make(settings)


def methods_of(settings: Settings) -> tuple[Method, ...]:
    """What buyers may pay with at the gateway that ``settings.payment_gateway`` names; needs no key."""
    return _ADAPTERS[settings.payment_gateway].methods


def event_reader(settings: Settings) -> Callable[[Mapping[str, str], bytes], Event]:
    """What reads a webhook of that gateway: gives the event of headers and body, or raises BadSignature."""
    return _ADAPTERS[settings.payment_gateway].make(settings).parse_event


def _simulated(settings: Settings) -> Gateway:
    key, secret = settings.gateway_api_key, settings.gateway_webhook_secret
    return SimulatedGateway(
        settings.gateway_url,
        "" if key is None else key.get_secret_value(),
        webhook_secret=None if secret is None else secret.get_secret_value(),
    )


def _stripe(settings: Settings) -> Gateway:
    return StripeGateway(
        settings.secret("stripe_secret_key"),
        webhook_secret=settings.secret("stripe_webhook_secret"),
        api_base=settings.stripe_api_base,
    )


_ADAPTERS = {
    "simulated": _Adapter(methods=SimulatedGateway.methods, make=_simulated, calls_need=("gateway_api_key",)),
    # Without an address to come back to, Stripe sends nobody to 3-D Secure by a redirect.
    "stripe": _Adapter(
        methods=StripeGateway.methods,
        make=_stripe,
        needs=("stripe_secret_key", "stripe_webhook_secret", "return_url"),
    ),
}
