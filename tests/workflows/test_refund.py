"""A refund's activities: answers that are wrong, attempts at once and late ones, an order of another gateway."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from checkout.activities.refund import Refunding
from checkout.domain.ids import refund_id
from checkout.domain.money import money_text
from checkout.domain.refunds import RefundInput, RefundReserved
from checkout.store.refunds import Asked, ask
from tests.activities.paying import changed
from tests.histories.beside import sold
from tests.support.gateway import Interposed
from tests.support.invariants import check_invariants
from tests.workflows.stage import Stage


@pytest.fixture
async def gateway(stage: Stage) -> AsyncIterator[Interposed]:
    """The gateway, with hooks in the way to it."""
    adapter = stage.gateway.adapter()
    yield Interposed(adapter)
    await adapter.close()


@pytest.fixture
async def refund(stage: Stage) -> RefundInput:
    """A refund of two mugs that is asked for, of an order that is paid."""
    async with stage.worker():
        _, reference = await sold(stage)
    given = RefundInput(refund_id(reference, "k"), reference)
    async with stage.sessions() as session, session.begin():
        await ask(
            session,
            Asked(given.refund_id, reference, None, [{"sku": "MUG", "quantity": 2}], True, "came back", "ada"),
        )
    return given


async def status(stage: Stage) -> str:
    return str(await stage.shop.execute("SELECT status FROM refunds"))


async def test_an_answer_that_says_that_nothing_went_back_is_asked_for_again(
    stage: Stage, gateway: Interposed, refund: RefundInput
) -> None:
    activities = Refunding(stage.sessions, gateway)
    reserved = await ActivityEnvironment().run(activities.reserve, refund)
    asked = money_text(reserved.amount, "EUR")
    for wrong, said in ((changed(refunded=0), "0.00 EUR"), (changed(currency="USD"), f"{asked[:-3]}USD")):
        gateway.after["refund"] = wrong
        with pytest.raises(ApplicationError) as failed:
            await ActivityEnvironment().run(activities.give_back, refund)
        assert (failed.value.type, failed.value.non_retryable) == ("refund_differs", False)
        assert f"{said} went back, not {asked}" in str(failed.value)
        assert await status(stage) == "pending"
    del gateway.after["refund"]
    done = await ActivityEnvironment().run(activities.give_back, refund)
    assert (done.amount, done.units, done.order_status) == (reserved.amount, 2, "partially_refunded")
    [item] = await stage.ledger()
    assert item["refunded"] == reserved.amount
    await check_invariants(stage.engine, [item])


async def test_attempts_at_once_and_late_ones_give_back_once(
    stage: Stage, gateway: Interposed, refund: RefundInput
) -> None:
    activities = Refunding(stage.sessions, gateway)

    async def reserve() -> RefundReserved:
        return await ActivityEnvironment().run(activities.reserve, refund)

    first, *others = await asyncio.gather(*(reserve() for _ in range(4)))
    assert all(other == first for other in others)
    results = await asyncio.gather(*(ActivityEnvironment().run(activities.give_back, refund) for _ in range(4)))
    late = await ActivityEnvironment().run(activities.give_back, refund)
    assert {(one.amount, one.units) for one in [*results, late]} == {(first.amount, 2)}
    assert await reserve() == first
    [item] = await stage.ledger()
    assert item["refunded"] == first.amount
    assert await stage.shop.rows("SELECT on_hand_delta FROM stock_movements WHERE kind = 'restocked'") == [(2,)]
    await check_invariants(stage.engine, [item])


async def test_an_order_that_was_paid_at_another_gateway_is_refused(
    stage: Stage, gateway: Interposed, refund: RefundInput
) -> None:
    """Whoever moves to another gateway refunds the old orders there."""
    await stage.shop.execute("UPDATE payment_attempts SET gateway = 'the one before'")
    activities = Refunding(stage.sessions, gateway)
    await ActivityEnvironment().run(activities.reserve, refund)
    for _ in range(2):
        with pytest.raises(ApplicationError) as failed:
            await ActivityEnvironment().run(activities.give_back, refund)
        assert (failed.value.type, failed.value.non_retryable) == ("refund_refused", True)
        assert failed.value.details == ({"gateway_code": "other_gateway"},)
    assert gateway.calls == []
    assert await status(stage) == "refused"
    assert await stage.shop.rows("SELECT gateway_detail FROM refunds") == [
        ("the order was paid at the one before, the shop is at simulated",)
    ]
