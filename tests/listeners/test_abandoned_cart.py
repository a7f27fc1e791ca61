"""Who left a cart is reminded of it: later, once, and not when it has become pointless."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import pytest
from temporalio.service import RPCError

from checkout.domain.events import CheckoutFailed
from checkout.listeners.loading import listeners_of
from checkout.runtime.mail import Smtp
from checkout.runtime.settings import load_settings
from tests.support.mail import LATER, MailServer, mail_server, texts
from tests.support.shop import Basket
from tests.workflows.engine import Run
from tests.workflows.stage import DECLINED, VISA, Stage
from tests.workflows.test_notify import announced, notifying, told

DELAY = 3600
After = Callable[[Stage, Run], Awaitable[object]]


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def reminding(stage: Stage, post: MailServer) -> Stage:
    """A shop that reminds."""
    settings = load_settings(
        smtp_url=post.url,
        mail_from="Shop <shop@shop.example>",
        remind_abandoned_after=DELAY,
        resume_url="https://shop.example/carts/{cart_id}?from=mail",
    )
    stage.listeners, stage.mailer = listeners_of(settings), Smtp(post.url)
    return stage


async def expired(stage: Stage, run: Run | None = None) -> Run:
    """A checkout that nobody paid."""
    if run is None:
        run, _ = await stage.start()
    await run.pass_time(stage.short_ttl + 1)
    await run.result()
    return run


async def later(stage: Stage, run: Run, seconds: float = DELAY + 10) -> None:
    with contextlib.suppress(RPCError):  # it has told already, and ended
        await stage.clock.fast_forward(notifying(stage, CheckoutFailed, run), timedelta(seconds=seconds))


def reminders(post: MailServer) -> int:
    """Confirmations of orders are sent here as well."""
    return sum(message["Subject"] == "Your cart is still there" for message in post.received)


async def test_reminded_after_the_delay_with_the_way_back(reminding: Stage, post: MailServer) -> None:
    async with reminding.worker():
        run = await expired(reminding)
        await later(reminding, run, DELAY - 60)
        assert post.received == []
        await later(reminding, run, 120)
        await told(reminding, CheckoutFailed, run)
    [message] = post.received
    assert message["To"] == "ada@example.com"
    for text in texts(message):
        assert "MUG" in text
        assert f"https://shop.example/carts/{run.checkout.cart_id}?from=mail" in text


async def _ordered(stage: Stage, run: Run) -> None:
    again, _ = await stage.start(basket_of(run), VISA)
    await again.result()


async def _emptied(stage: Stage, run: Run) -> None:
    await stage.shop.execute("DELETE FROM cart_lines WHERE cart_id = :cart RETURNING 1", cart=run.checkout.cart_id)


async def _without_email(stage: Stage, run: Run) -> None:
    await stage.shop.execute("UPDATE carts SET email = NULL WHERE id = :cart RETURNING 1", cart=run.checkout.cart_id)


async def _being_checked_out(stage: Stage, run: Run) -> None:
    await stage.start(basket_of(run))


def basket_of(run: Run) -> Basket:
    return Basket(run.checkout.cart_id, run.checkout.session_id, run.checkout.customer_id)


@pytest.mark.parametrize("meanwhile", [_ordered, _emptied, _without_email, _being_checked_out])
async def test_pointless_by_then(reminding: Stage, post: MailServer, meanwhile: After) -> None:
    async with reminding.worker():
        run = await expired(reminding)
        await meanwhile(reminding, run)
        await later(reminding, run)
        await told(reminding, CheckoutFailed, run)
    assert reminders(post) == 0


async def test_once_for_a_cart(reminding: Stage, post: MailServer) -> None:
    async with reminding.worker():
        first = await expired(reminding)
        second = await expired(reminding, (await reminding.start(basket_of(first)))[0])
        for run in (second, first):
            await later(reminding, run)
            await told(reminding, CheckoutFailed, run)
    assert reminders(post) == 1


async def test_one_that_was_not_sent_is_tried_again(reminding: Stage, post: MailServer) -> None:
    """The claim is the delivery's own: its next attempt may send."""
    post.to_messages = [LATER]
    async with reminding.worker():
        run = await expired(reminding)
        await later(reminding, run)
        await later(reminding, run, 60)
        await told(reminding, CheckoutFailed, run)
    assert reminders(post) == 1


@pytest.mark.parametrize("how", ["cancelled", "declined"])
async def test_who_decided_otherwise_is_left_alone(reminding: Stage, how: str) -> None:
    async with reminding.worker():
        run, _ = await reminding.start()
        if how == "cancelled":
            await run.cancel()
        else:
            for _ in range(3):
                await reminding.pay(run, DECLINED)
    assert await announced(reminding, run) == set()


def test_nobody_is_reminded_unless_the_shop_wants_it() -> None:
    settings = load_settings(smtp_url="mailbox:", mail_from="a@shop.example", resume_url="https://s.example/{cart_id}")
    assert "RemindAbandonedCart" not in {one.name for one in listeners_of(settings).known}
