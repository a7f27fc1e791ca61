"""Webhooks from a checkout to receivers that take them, fail, hang, redirect and are gone."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
import structlog
from temporalio.client import WorkflowHandle

from checkout.domain import contract
from checkout.domain.events import EVENTS, CheckoutCompleted
from checkout.domain.webhooks import delivery_workflow_id
from checkout.domain.words import State
from checkout.listeners import Listeners
from checkout.runtime.outgoing import Answered, Outgoing
from checkout.store.tables import WebhookEndpoint
from checkout.store.webhook_endpoints import add_endpoint, rotate_secret
from tests.histories.beside import code_of
from tests.support.receiver import HANGS, Receiver, receiver
from tests.support.waiting import eventually
from tests.workflows.engine import Run
from tests.workflows.faults import loses_its_answer, not_again_for
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import VISA, Stage
from tests.workflows.test_notify import announced, failure_of, told

COMPLETED = [CheckoutCompleted.NAME]


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


@pytest.fixture
def sending(stage: Stage) -> Stage:
    """A shop whose events go to the endpoints in its database."""
    stage.listeners = Listeners(webhooks=True)
    return stage


async def endpoint_to(stage: Stage, there: Receiver, events: list[str] = COMPLETED) -> WebhookEndpoint:
    """An endpoint for the receiver, which knows its secret."""
    async with stage.sessions() as session, session.begin():
        endpoint = await add_endpoint(session, there.url, "", events)
        there.secret = endpoint.secret
    return endpoint


async def delivery_of(stage: Stage, run: Run) -> dict[str, Any]:
    """The delivery of a checkout's last event, once it is planned."""
    query = "SELECT to_jsonb(d) FROM webhook_deliveries d WHERE checkout_id = :id ORDER BY created_at DESC LIMIT 1"

    async def planned() -> list[tuple[Any, ...]]:
        return await stage.shop.rows(query, id=run.checkout.checkout_id)

    return dict((await eventually(planned, "a delivery is planned"))[0][0])


async def delivering(stage: Stage, run: Run) -> WorkflowHandle[Any, Any]:
    """The workflow of that delivery."""
    return stage.client.get_workflow_handle(delivery_workflow_id((await delivery_of(stage, run))["id"]))


async def attempts(stage: Stage, run: Run) -> list[tuple[Any, ...]]:
    """Status and error of each attempt."""
    delivery = await delivery_of(stage, run)
    return await stage.shop.rows(
        "SELECT status, error FROM webhook_attempts WHERE delivery_id = :id ORDER BY number", id=delivery["id"]
    )


async def sold(stage: Stage) -> Run:
    run, _ = await stage.start(token=VISA)
    await run.result()
    await told(stage, CheckoutCompleted, run)
    return run


async def test_every_event_signed(sending: Stage, there: Receiver) -> None:
    await endpoint_to(sending, there, events=[])
    async with sending.worker():
        run = await sold(sending)

        async def all_there() -> bool:
            return len(there.received) == 3

        await eventually(all_there, "three events are received")
        assert await code_of(await delivering(sending, run)) is None
    row = await assert_ended(sending, run, State.COMPLETED)
    assert there.refused == []
    assert set(there.types) == set(EVENTS) - {"checkout.failed"}
    [(identity, message)] = [(i, one) for i, one in there.received if one["type"] == CheckoutCompleted.NAME]
    data = message["data"]
    assert identity == data["id"]
    assert (data["checkout_id"], data["order_reference"], data["total"], data["currency"]) == (
        row["id"],
        row["order_reference"],
        row["total"],
        "EUR",
    )
    assert "ada@" not in str(there.received)
    delivery = await delivery_of(sending, run)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)


async def test_only_who_wants_it(sending: Stage, there: Receiver) -> None:
    wanting = await endpoint_to(sending, there)
    async with sending.sessions() as session, session.begin():
        other = await add_endpoint(session, there.url, "", ["checkout.failed"])
        disabled = await add_endpoint(session, there.url, "", [])
        disabled.enabled = False
    async with sending.worker():
        run = await sold(sending)
        assert await code_of(await delivering(sending, run)) is None
    assert await announced(sending, run) == {CheckoutCompleted.NAME}
    planned = await sending.shop.rows("SELECT endpoint_id FROM webhook_deliveries")
    assert planned == [(wanting.id,)]
    assert other.id != wanting.id


async def test_nobody_wants_anything(sending: Stage) -> None:
    async with sending.worker():
        run, _ = await sending.start(token=VISA)
        await run.result()
    assert await announced(sending, run) == set()


@pytest.mark.parametrize("bad", [500, 302, 404, 429])
async def test_not_taken_it_is_sent_again_the_same(sending: Stage, there: Receiver, bad: int) -> None:
    """And the checkout has ended long before."""
    await endpoint_to(sending, there)
    there.answers = [bad, bad]
    async with sending.worker():
        run = await sold(sending)
        handle = await delivering(sending, run)
        assert f"answered {bad}" in await failure_of(handle)
        await sending.clock.fast_forward(handle, timedelta(hours=1))
        assert await code_of(handle) is None
        assert "personal words" not in str(await handle.fetch_history())
    assert len(there.received) == 3
    assert there.received[0] == there.received[1] == there.received[2]
    statuses = [status for status, _ in await attempts(sending, run)]
    assert statuses == [bad, bad, 200]
    assert (await delivery_of(sending, run))["status"] == "delivered"
    assert await sending.shop.rows("SELECT enabled, failing_since FROM webhook_endpoints") == [(True, None)]
    await assert_ended(sending, run, State.COMPLETED)


async def test_one_that_hangs(sending: Stage, there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checkout.runtime.outgoing.TIMEOUT", 0.5)
    await endpoint_to(sending, there)
    there.answers = [HANGS]
    async with sending.worker():
        run = await sold(sending)
        handle = await delivering(sending, run)
        assert "no answer within" in await failure_of(handle)
        await sending.clock.fast_forward(handle, timedelta(minutes=1))
        assert await code_of(handle) is None
    assert [error for _, error in await attempts(sending, run)] == ["no answer within 0.5 s", None]


async def test_one_that_is_gone_is_disabled_at_once(sending: Stage, there: Receiver) -> None:
    endpoint = await endpoint_to(sending, there)
    there.always = 410
    async with sending.worker():
        run = await sold(sending)
        assert await code_of(await delivering(sending, run)) == "webhook_gave_up"
        after = await sold_unheard(sending)
    assert len(there.received) == 1
    [(enabled, reason)] = await sending.shop.rows("SELECT enabled, disabled_reason FROM webhook_endpoints")
    assert (enabled, "410" in reason) == (False, True)
    assert (await delivery_of(sending, run))["status"] == "failed"
    assert await announced(sending, after) == set()
    assert endpoint.enabled


async def sold_unheard(stage: Stage) -> Run:
    run, _ = await stage.start(token=VISA)
    await run.result()
    return run


async def test_one_that_takes_nothing_for_three_days_is_disabled(sending: Stage, there: Receiver) -> None:
    await endpoint_to(sending, there)
    there.always = 500
    async with sending.worker():
        run = await sold(sending)
        handle = await delivering(sending, run)
        await failure_of(handle)
        await sending.clock.fast_forward(handle, timedelta(days=4))
        assert await code_of(handle) == "webhook_gave_up"
    assert len(there.received) > 8
    assert len({identity for identity, _ in there.received}) == 1
    [(enabled, reason)] = await sending.shop.rows("SELECT enabled, disabled_reason FROM webhook_endpoints")
    assert (enabled, "three days" in reason) == (False, True)


async def test_one_that_takes_others_is_not_disabled(sending: Stage, there: Receiver) -> None:
    """A message that it cannot stomach is given up, and the others go on."""
    await endpoint_to(sending, there)
    there.always = 500
    async with sending.worker():
        run = await sold(sending)
        handle = await delivering(sending, run)
        await failure_of(handle)
        there.stomachs_not, there.always = {there.received[0][0]}, 200
        other = await sold(sending)
        assert await code_of(await delivering(sending, other)) is None
        sending.faults.then(contract.DELIVER_WEBHOOK, not_again_for(timedelta(hours=73)))
        await sending.clock.fast_forward(handle, timedelta(hours=1))
        assert await code_of(handle) == "webhook_gave_up"
    assert await sending.shop.rows("SELECT enabled, disabled_reason FROM webhook_endpoints") == [(True, None)]
    assert (await delivery_of(sending, run))["status"] == "failed"


async def test_an_answer_that_was_lost_is_sent_again_with_the_same_id(sending: Stage, there: Receiver) -> None:
    await endpoint_to(sending, there)
    sending.faults.then(contract.PLAN_WEBHOOKS, loses_its_answer)
    there.answers = [HANGS]
    async with sending.worker():
        run = await sold(sending)
        handle = await delivering(sending, run)

        async def hangs() -> bool:
            return there.hanging.is_set()

        await eventually(hangs, "the receiver has it and does not answer")
    async with sending.worker():  # the first one went away while it waited for the answer
        assert await code_of(handle) is None
    assert len(there.received) == 2
    assert there.received[0] == there.received[1]
    assert await sending.shop.rows("SELECT count(*) FROM webhook_deliveries") == [(1,)]


async def test_both_secrets_sign_while_one_is_changed_for_the_other(sending: Stage, there: Receiver) -> None:
    endpoint = await endpoint_to(sending, there)
    before = there.secret
    async with sending.sessions() as session, session.begin():
        new = (await rotate_secret(session, endpoint.id)).secret
    async with sending.worker():
        for secret in (before, new):
            there.secret = secret
            await sold_and_delivered(sending)
        await sending.shop.execute("UPDATE webhook_endpoints SET previous_until = now() RETURNING 1")
        there.secret = new
        await sold_and_delivered(sending)
        assert (len(there.received), there.refused) == (3, [])
        there.secret = before
        run = await sold(sending)
        assert "answered 401" in await failure_of(await delivering(sending, run))
    assert there.refused


async def sold_and_delivered(stage: Stage) -> None:
    assert await code_of(await delivering(stage, await sold(stage))) is None


async def test_nothing_goes_inside_though_it_was_kept(sending: Stage, there: Receiver) -> None:
    """The name led elsewhere when it was entered, or the setting was another."""
    await endpoint_to(sending, there)
    sending.outgoing = Outgoing(allow_http=True)
    async with sending.worker():
        run = await sold(sending)
        assert "not public" in await failure_of(await delivering(sending, run))
    assert there.received == []


class Overheard(Outgoing):
    """Keeps what log lines would be about while something is sent."""

    async def post(self, text: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        said.append(structlog.contextvars.get_contextvars())
        return await super().post(text, body, headers)


said: list[dict[str, Any]] = []


async def test_lines_of_a_delivery_say_which_checkout(sending: Stage, there: Receiver) -> None:
    await endpoint_to(sending, there)
    sending.outgoing = Overheard(allow_private=True, allow_http=True)
    said.clear()
    async with sending.worker():
        run = await sold(sending)
        assert await code_of(await delivering(sending, run)) is None
    about = {"checkout_id": run.checkout.checkout_id, "cart_id": run.checkout.cart_id, "phase": "stock_commit"}
    assert [about.items() <= fields.items() for fields in said] == [True]


async def test_an_endpoint_that_is_removed_meanwhile_is_told_nothing(sending: Stage, there: Receiver) -> None:
    await endpoint_to(sending, there)
    there.always = 500
    async with sending.worker():
        run = await sold(sending)
        handle = await delivering(sending, run)
        await failure_of(handle)
        await sending.shop.execute("DELETE FROM webhook_endpoints RETURNING 1")
        await sending.clock.fast_forward(handle, timedelta(hours=1))
        assert await code_of(handle) is None
    assert len(there.received) == 1
