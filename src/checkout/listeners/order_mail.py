"""E-mails about an order: that it is received, where the money is to come by a bank transfer, and that it is paid."""

import dataclasses
from typing import Any

from checkout.domain.events import CheckoutCompleted, Event, OrderPlaced
from checkout.domain.words import OrderStatus
from checkout.listeners.letters import Letters
from checkout.listeners.registry import Delivery, GiveUp, Listener
from checkout.runtime.mail import MailRefused
from checkout.runtime.settings import Settings
from checkout.store.orders import OrderRecord


def order_mails(settings: Settings) -> list[Listener]:
    """Those who write to the buyer; nobody in a shop that sends no e-mails.

    What is paid at once is confirmed when it is paid. A bank transfer takes days, so its order is confirmed when it is
    placed, with the bank's details, and once more when the money has come.
    """
    if settings.smtp_url is None:
        return []
    letters = Letters.of(settings)

    async def received(event: OrderPlaced, delivery: Delivery) -> None:
        order = await delivery.shop.order(event.order_reference)
        if order.status is OrderStatus.PENDING:  # paid or cancelled meanwhile: the other e-mail says so, or none
            bank = await delivery.shop.next_action(order.reference)
            await _send(letters, "order_received", order, delivery, bank=bank)

    async def completed(event: CheckoutCompleted, delivery: Delivery) -> None:
        order = await delivery.shop.order(event.order_reference)
        await _send(letters, "order_confirmation", order, delivery)

    return [
        Listener("SendOrderReceived", OrderPlaced, received, when=_awaits_funds),
        Listener("SendOrderConfirmation", CheckoutCompleted, completed),
    ]


def _awaits_funds(event: Event) -> bool:
    return isinstance(event, OrderPlaced) and event.awaits_funds


async def _send(letters: Letters, template: str, order: OrderRecord, delivery: Delivery, **values: Any) -> None:
    message = letters.write(
        template,
        order.email,
        delivery.id,
        country=order.shipping_address.get("country"),
        order=dataclasses.asdict(order),
        **values,
    )
    try:
        await delivery.shop.send(message)
    except MailRefused as refused:
        raise GiveUp(str(refused)) from None
