"""The confirmation of an order, from a checkout to a mail server: what it says, once, whatever the server does."""

from collections.abc import Iterator

import pytest

from checkout.domain import contract
from checkout.domain.events import CheckoutCompleted, OrderPlaced
from checkout.domain.words import State
from checkout.listeners.loading import listeners_of
from checkout.runtime.mail import Smtp
from checkout.runtime.settings import load_settings
from tests.histories.beside import code_of
from tests.support.mail import HANGS, LATER, NO_SUCH_BUYER, MailServer, mail_server, texts
from tests.workflows.faults import loses_its_answer
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import BANK, VISA, Stage
from tests.workflows.test_notify import notifying, told

NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def mailing(stage: Stage, post: MailServer) -> Stage:
    """A shop that sends e-mails."""
    settings = load_settings(smtp_url=post.url, mail_from="Shop <shop@shop.example>")
    stage.listeners, stage.mailer = listeners_of(settings), Smtp(post.url)
    return stage


async def _order(stage: Stage, reference: str) -> dict[str, int]:
    [row] = await stage.shop.rows("SELECT to_jsonb(orders) FROM orders WHERE reference = :r", r=reference)
    return dict(row[0])


def _euros(amount: int) -> str:
    return f"{amount // 100},{amount % 100:02}{NBSP}€"


async def test_paid_at_once(mailing: Stage, post: MailServer) -> None:
    async with mailing.worker():
        run, _ = await mailing.start(token=VISA)
        await told(mailing, CheckoutCompleted, run)
    row = await assert_ended(mailing, run, State.COMPLETED)
    order = await _order(mailing, row["order_reference"])
    [message] = post.received
    assert (message["To"], message["From"]) == ("ada@example.com", "Shop <shop@shop.example>")
    assert row["order_reference"] in message["Subject"]
    for text in texts(message):
        assert row["order_reference"] in text
        assert "MUG" in text
        assert "LAMP" in text
        assert "Unter den Linden 1" in text
        assert "Germany" in text
        for figure in ("sub_total", "shipping_total", "tax_total", "total"):
            assert _euros(order[figure]) in text, figure


async def test_a_transfer_is_confirmed_when_it_is_ordered_and_when_it_is_paid(mailing: Stage, post: MailServer) -> None:
    async with mailing.worker():
        run, _ = await mailing.start(token=BANK)
        await told(mailing, OrderPlaced, run)
        row = await mailing.row(run)
        [ordered] = post.received
        for text in texts(ordered):
            for detail in ("iban", "bic", "holder", "reference"):
                assert row["next_action"][detail] in text, detail
            assert _euros(row["total"]) in text
        await mailing.act(run, "funds_received")
        await mailing.changed(run)
        await told(mailing, CheckoutCompleted, run)
    ordered, paid = post.received
    assert ordered["Message-ID"] != paid["Message-ID"]
    assert "It is paid" in texts(paid)[0]


@pytest.mark.parametrize("answers", [[LATER, "421 closing"], [HANGS]], ids=["fails", "hangs"])
async def test_a_server_that_cannot_is_tried_again(
    mailing: Stage, post: MailServer, answers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("checkout.runtime.mail.SMTP_TIMEOUT", 1.0)
    post.to_messages += answers
    async with mailing.worker():
        run, _ = await mailing.start(token=VISA)
        assert (await run.result()).order_reference
        await told(mailing, CheckoutCompleted, run)
    assert len(post.received) == 1
    await assert_ended(mailing, run, State.COMPLETED)


async def test_a_buyer_that_is_no_more_is_given_up(mailing: Stage, post: MailServer) -> None:
    """And the history says nothing of him."""
    post.to_recipients.append(NO_SUCH_BUYER)
    async with mailing.worker():
        run, _ = await mailing.start(token=VISA)
        await run.result()
        handle = notifying(mailing, CheckoutCompleted, run)
        assert await code_of(handle) == "listener_gave_up"
        assert "ada@" not in str(await handle.fetch_history())
    await assert_ended(mailing, run, State.COMPLETED)


async def test_sent_again_it_is_the_same_message(mailing: Stage, post: MailServer) -> None:
    """The server took it, and its answer was lost: the buyer's mail program sees one message."""
    mailing.faults.then(contract.TELL_LISTENER, loses_its_answer)
    async with mailing.worker():
        run, _ = await mailing.start(token=VISA)
        await told(mailing, CheckoutCompleted, run)
    first, again = post.received
    assert first["Message-ID"] == again["Message-ID"]


def test_a_shop_without_a_mail_server_has_none() -> None:
    assert listeners_of(load_settings()).known == ()
