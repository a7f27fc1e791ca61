"""What hears of a checkout's events: listeners, ours and the shop's own.

A listener is an async function, marked with the event that it wants to hear of::

    @listener(CheckoutCompleted)
    async def tell_the_warehouse(event: CheckoutCompleted, delivery: Delivery) -> None: ...

``CHECKOUT_LISTENERS`` names the modules that the worker looks for them in.
"""

from checkout.domain.events import (
    CheckoutCompleted,
    CheckoutFailed,
    CheckoutStarted,
    Event,
    OrderPlaced,
    WebhookDisabled,
)
from checkout.listeners.registry import Delivery, GiveUp, Listener, Listeners, Shop, listener

__all__ = [
    "CheckoutCompleted",
    "CheckoutFailed",
    "CheckoutStarted",
    "Delivery",
    "Event",
    "GiveUp",
    "Listener",
    "Listeners",
    "OrderPlaced",
    "Shop",
    "WebhookDisabled",
    "listener",
]
