"""Reminds a buyer of the cart whose checkout has expired: once, later, and only where he may go on with it."""

from checkout.domain.events import CheckoutFailed, Event
from checkout.domain.words import Outcome
from checkout.listeners.letters import Letters
from checkout.listeners.registry import Delivery, GiveUp, Listener
from checkout.runtime.mail import MailRefused
from checkout.runtime.settings import Settings
from checkout.store.reminders import claim


def reminders(settings: Settings) -> list[Listener]:
    """The one who reminds, where the shop wants it."""
    if settings.remind_abandoned_after is None or settings.resume_url is None:
        return []
    letters, resume = Letters.of(settings), settings.resume_url

    async def remind(event: CheckoutFailed, delivery: Delivery) -> None:
        async with delivery.shop.sessions() as session, session.begin():
            cart = await claim(session, event.cart_id, delivery.id)
        if cart is None:  # ordered, emptied, checked out again, reminded before, or without an e-mail
            return
        message = letters.write(
            "abandoned_cart",
            cart.email,
            delivery.id,
            country=cart.country,
            lines=cart.lines,
            url=resume.replace("{cart_id}", event.cart_id),
        )
        try:
            await delivery.shop.send(message)
        except MailRefused as refused:
            raise GiveUp(str(refused)) from None

    return [
        Listener("RemindAbandonedCart", CheckoutFailed, remind, when=_expired, after=settings.remind_abandoned_after)
    ]


def _expired(event: Event) -> bool:
    return isinstance(event, CheckoutFailed) and event.outcome is Outcome.EXPIRED
