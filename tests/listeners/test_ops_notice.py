"""Ops are told of what is theirs to mend, by e-mail and in a chat, with the way to the workflow; of nothing else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from checkout.domain.events import CheckoutCompleted, CheckoutFailed
from checkout.domain.words import State
from checkout.listeners.loading import listeners_of
from checkout.runtime.mail import Smtp
from checkout.runtime.settings import SettingsError, load_settings
from checkout.store.webhook_endpoints import add_endpoint
from tests.histories.beside import code_of
from tests.support.http import serve
from tests.support.mail import MailServer, mail_server, texts
from tests.support.receiver import receiver
from tests.support.waiting import eventually
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import DECLINED, VISA, Stage
from tests.workflows.test_notify import announced, failure_of, notifying, told
from tests.workflows.test_webhooks import delivering

UI = "http://temporal.example"


class Chat:
    """A chat that takes what Slack's takes; ``answers``: the next statuses."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answers: list[int] = []
        self.url = ""

    async def handle(self, request: Request) -> Response:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.said.append((await request.json())["text"])
        return Response("ok", status)


@pytest.fixture
def chat() -> Iterator[Chat]:
    made = Chat()
    with serve(Starlette(routes=[Route("/services/T0/B0/secret", made.handle, methods=["POST"])])) as url:
        made.url = f"{url}/services/T0/B0/secret"
        yield made


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def telling(stage: Stage, post: MailServer, chat: Chat, **settings: Any) -> Stage:
    """A shop whose ops are told in both ways."""
    loaded = load_settings(
        smtp_url=post.url,
        mail_from="Shop <shop@shop.example>",
        notify_on_failure=f"ops@shop.example, second@shop.example, {chat.url}",
        temporal_ui_url=UI,
        **settings,
    )
    stage.listeners, stage.mailer = listeners_of(loaded), Smtp(post.url)
    return stage


async def test_a_failure_of_ours(stage: Stage, post: MailServer, chat: Chat) -> None:
    telling(stage, post, chat)
    chat.answers = [500]
    async with stage.worker():
        run, _ = await stage.start(token="tok_captureFails")
        await told(stage, CheckoutFailed, run)
        history = str(await notifying(stage, CheckoutFailed, run).fetch_history())
    row = await assert_ended(stage, run, State.FAILED, "capture_refused", run_phase(await stage.row(run)))
    [message] = post.received
    assert message["To"] == "ops@shop.example, second@shop.example"
    assert run.checkout.checkout_id in message["Subject"]
    link = f"{UI}/namespaces/default/workflows/{row['workflow_id']}/{row['run_id']}/history"
    for text in (*texts(message), *chat.said):
        assert "capture_refused" in text
        assert "payment_capture" in text
        assert link in text
        assert "ada@" not in text
    assert len(chat.said) == 1
    for secret in (chat.url, "ops@shop.example"):
        assert secret not in history


def run_phase(row: dict[str, Any]) -> Any:
    return row["failure"]["phase"]


@pytest.mark.parametrize("told_all", [False, True])
async def test_what_the_buyer_did(stage: Stage, post: MailServer, chat: Chat, told_all: bool) -> None:
    telling(stage, post, chat, notify_refusals=told_all)
    async with stage.worker():
        run, _ = await stage.start()
        for _ in range(3):
            await stage.pay(run, DECLINED)
        if told_all:
            await told(stage, CheckoutFailed, run)
        cancelled, _ = await stage.start()
        await cancelled.cancel()
        await cancelled.result()
    assert ("checkout.failed" in await announced(stage, run)) == told_all
    assert await announced(stage, cancelled) == set()
    assert len(chat.said) == len(post.received) == told_all


async def test_an_endpoint_that_is_disabled(stage: Stage, post: MailServer, chat: Chat) -> None:
    telling(stage, post, chat)
    with receiver() as there:
        there.always = 410
        async with stage.sessions() as session, session.begin():
            endpoint = await add_endpoint(session, there.url, "", [CheckoutCompleted.NAME])
            there.secret = endpoint.secret
        async with stage.worker():
            run, _ = await stage.start(token=VISA)
            await told(stage, CheckoutCompleted, run)
            assert await code_of(await delivering(stage, run)) == "webhook_gave_up"

            async def heard() -> bool:
                return len(chat.said) == 1 and len(post.received) == 2

            await eventually(heard, "ops are told")
        assert len(there.received) == 1
    assert endpoint.id in chat.said[0]
    assert "it is gone" in chat.said[0]
    assert f"Webhook endpoint {endpoint.id} is disabled" in {str(one["Subject"]) for one in post.received}


async def test_a_chat_that_is_away_holds_up_no_mail(stage: Stage, post: MailServer, chat: Chat) -> None:
    telling(stage, post, chat)
    chat.answers = [503, 404, 429]
    async with stage.worker():
        run, _ = await stage.start(token="tok_captureFails")
        handle = notifying(stage, CheckoutFailed, run)

        async def mailed() -> bool:
            return len(post.received) == 1

        await eventually(mailed, "the e-mail is sent")
        assert "ChatRefused" in await failure_of(handle)
        await stage.clock.fast_forward(handle, timedelta(minutes=5))
        assert await code_of(handle) is None
    assert (len(post.received), len(chat.said)) == (1, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"notify_on_failure": "ops"}, "CHECKOUT_NOTIFY_ON_FAILURE is wrong"),
        ({"notify_on_failure": "https://chat.example/x, nonsense"}, "CHECKOUT_NOTIFY_ON_FAILURE is wrong"),
        ({"notify_on_failure": "ops@shop.example"}, "CHECKOUT_SMTP_URL is not set"),
        ({"remind_abandoned_after": "60"}, "needs CHECKOUT_SMTP_URL and CHECKOUT_RESUME_URL"),
        ({"resume_url": "https://shop.example/cart"}, "no {cart_id} in it"),
    ],
)
def test_wrong_settings(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        load_settings(**given)
    assert said in str(wrong.value)
    assert "chat.example" not in str(wrong.value)
