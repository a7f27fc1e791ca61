"""Reconciliation on real parts: what is left at the gateway is found, given back when asked to, and found no more."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from temporalio.client import ScheduleActionExecutionStartWorkflow, ScheduleActionResult

from checkout.activities import reconciliation
from checkout.domain import contract
from checkout.domain.ids import new_attempt_id, new_cart_id, new_checkout_id, refund_id, unowed_workflow_id
from checkout.domain.reconciliation import Finding, FindingKind, Reconciled, ReconciliationInput
from checkout.domain.refunds import RefundInput
from checkout.domain.words import State
from checkout.payments.port import Gateway, Payment
from checkout.runtime.schedules import keep_schedules, recurring
from checkout.runtime.settings import load_settings
from checkout.store.refunds import Asked, ask
from checkout.workflows import search
from checkout.workflows.start import refund_options
from tests.support.gateway import API_KEY
from tests.support.invariants import check_invariants
from tests.support.waiting import eventually
from tests.workflows.engine import Run
from tests.workflows.faults import breaks, loses_its_answer
from tests.workflows.stage import APPROVAL, BANK, VISA, Stage


@pytest.fixture
async def shop_side(stage: Stage) -> AsyncIterator[Gateway]:
    """The gateway, called past the shop; a worker runs."""
    adapter = stage.gateway.adapter()
    async with stage.worker():
        yield adapter
    await adapter.close()


async def reconcile(stage: Stage, *, fix: bool = False, hours: int = 24) -> Reconciled:
    done: Reconciled = await stage.client.execute_workflow(
        contract.RECONCILIATION_WORKFLOW,
        ReconciliationInput(hours, fix),
        id=f"reconciliation-{secrets.token_hex(6)}",
        task_queue=stage.task_queue,
        result_type=Reconciled,
    )
    return done


async def paid_past_the_shop(
    gateway: Gateway, checkout_id: str | None = None, *, capture: bool = False, amount: int = 4200
) -> Payment:
    """An authorization, or a capture, that no attempt of the shop has."""
    attempt_id = new_attempt_id()
    made = await gateway.create(
        checkout_id=checkout_id or new_checkout_id(new_cart_id()),
        attempt_id=attempt_id,
        currency="EUR",
        amount=amount,
        method="card",
        token=VISA,
        key=f"{attempt_id}:create",
    )
    payment = await gateway.confirm(made.payment_id, key=f"{attempt_id}:confirm")
    return await gateway.capture(payment.payment_id, amount=amount, key=f"{attempt_id}:capture") if capture else payment


def found(done: Reconciled) -> set[tuple[FindingKind, str, int]]:
    return {(one.kind, one.payment_id, one.amount) for one in done.findings}


async def cancelled(stage: Stage) -> Run:
    run, _ = await stage.start()
    await run.cancel()
    await run.handle.result()
    return run


async def test_nothing_is_found_where_all_is_explained(stage: Stage, shop_side: Gateway) -> None:
    await (await stage.start(token=VISA))[0].handle.result()
    await cancelled(stage)
    done = await reconcile(stage, fix=True)
    assert (done.left, done.findings) == (0, [])
    assert done.payments == 1
    await check_invariants(stage.engine, await stage.ledger())


async def test_what_belongs_to_nothing_is_found_given_back_and_found_no_more(stage: Stage, shop_side: Gateway) -> None:
    sold, _ = await stage.start(token=VISA)
    await sold.handle.result()
    undone = await cancelled(stage)
    authorized = await paid_past_the_shop(shop_side)
    captured = await paid_past_the_shop(shop_side, capture=True, amount=1)
    of_the_undone = await paid_past_the_shop(shop_side, undone.checkout.checkout_id, capture=True)
    beside = await paid_past_the_shop(shop_side, sold.checkout.checkout_id)
    expected = {
        (FindingKind.UNKNOWN_CHECKOUT, authorized.payment_id, 4200),
        (FindingKind.UNKNOWN_CHECKOUT, captured.payment_id, 1),
        (FindingKind.ENDED_CHECKOUT, of_the_undone.payment_id, 4200),
        (FindingKind.BESIDE_THE_ORDER, beside.payment_id, 4200),
    }
    told = await reconcile(stage)
    assert (found(told), told.left, told.payments) == (expected, 4, 5)
    assert not any(one.fixed for one in told.findings)
    assert all(one.remedy and one.detail for one in told.findings)
    assert (await shop_side.fetch(authorized.payment_id)).authorized == 4200  # told, not touched

    mended = await reconcile(stage, fix=True)
    assert (found(mended), mended.left) == (expected, 0)
    assert all(one.fixed for one in mended.findings)
    for payment in (authorized, captured, of_the_undone, beside):
        assert (await shop_side.fetch(payment.payment_id)).settled
    again = await reconcile(stage, fix=True)
    assert (again.left, again.findings) == (0, [])
    sale = await stage.ledger(sold)
    assert sorted(item["captured"] - item["refunded"] for item in sale) == [0, (await stage.row(sold))["total"]]


async def test_an_attempt_of_an_ended_checkout_is_settled_in_the_shops_books_too(
    stage: Stage, shop_side: Gateway
) -> None:
    """As after a gateway that said it had voided what it had not."""
    run, _ = await stage.start(token=APPROVAL)
    await run.cancel()
    await run.handle.result()
    orphan = await paid_past_the_shop(shop_side, run.checkout.checkout_id)
    await stage.shop.execute(
        "UPDATE payment_attempts SET gateway_payment_id = :new, amount = NULL WHERE checkout_id = :id",
        new=orphan.payment_id,
        id=run.checkout.checkout_id,
    )
    assert found(await reconcile(stage, fix=True)) == {(FindingKind.ENDED_CHECKOUT, orphan.payment_id, 4200)}
    rows = await stage.shop.rows("SELECT status, authorized, captured, refunded FROM payment_attempts")
    assert rows == [("voided", 4200, 0, 0)]


async def test_running_checkouts_are_left_alone(stage: Stage, shop_side: Gateway) -> None:
    """One waits for an approval, one for a transfer that came in part, one is captured and held up before its end."""
    approving, _ = await stage.start(token=APPROVAL)
    await stage.act(approving, "approve")
    waiting, _ = await stage.start(token=BANK)
    await stage.act(waiting, "funds_received", 1000)
    stage.faults.then(contract.STOCK_COMMIT, *[breaks] * 4)
    committing = await stage.launch(token=VISA)
    await committing.reaches(State.COMMITTING)
    done = await reconcile(stage, fix=True)
    assert (done.left, done.findings) == (0, [])
    await approving.confirm()
    await stage.act(waiting, "funds_received")
    await stage.changed(waiting)
    for run in (approving, waiting, committing):
        await run.handle.result()
    await check_invariants(stage.engine, await stage.ledger())


@pytest.mark.parametrize("hours", [24, 1])
async def test_late_money_of_a_transfer_goes_back_without_any_event(
    stage: Stage, shop_side: Gateway, hours: int
) -> None:
    """Also where the transfer was begun long before the hours that are looked at."""
    run, _ = await stage.start(token=BANK)
    bank = (await stage.row(run))["next_action"]["url"]
    await run.cancel("ops")
    await run.handle.result()
    await stage.act_at(bank, "funds_received", 700)
    if hours == 1:
        await stage.shop.execute("UPDATE gateway.payments SET created_at = created_at - interval '2 days'")
        await stage.shop.execute("UPDATE payment_attempts SET created_at = created_at - interval '2 days'")
    done = await reconcile(stage, fix=True, hours=hours)
    [finding] = done.findings
    assert (finding.kind, finding.amount, finding.fixed, done.left) == (FindingKind.UNOWED, 700, True, 0)
    await stage.client.get_workflow_handle(unowed_workflow_id(finding.payment_id)).result()
    assert await stage.shop.rows("SELECT amount, currency FROM unowed_money") == [(700, "EUR")]
    again = await reconcile(stage, hours=hours)
    assert (again.left, again.findings) == (0, [])
    await check_invariants(stage.engine, await stage.ledger())


async def test_what_only_people_can_settle_is_told_and_not_touched(stage: Stage, shop_side: Gateway) -> None:
    """An order whose total in the shop's books is another, one that was not refunded though they say so; and what
    people have settled by hand, by ways that the gateway does not see: to give it back again would be once too often.
    """
    runs = [(await stage.start(token=VISA))[0] for _ in range(2)]
    for run in runs:
        await run.handle.result()
    by_hand = await cancelled(stage)
    theirs = await paid_past_the_shop(shop_side, by_hand.checkout.checkout_id, capture=True)
    attempt = (await stage.attempt(by_hand)).attempt_id
    await stage.shop.execute(
        "UPDATE payment_attempts SET status = 'resolved', gateway_payment_id = :p, token = NULL WHERE id = :a",
        p=theirs.payment_id,
        a=attempt,
    )
    differs, missing = [(await stage.row(run)) for run in runs]
    payments = {
        row["id"]: str(
            await stage.shop.execute(
                "SELECT gateway_payment_id FROM payment_attempts WHERE id = :a", a=row["attempt_id"]
            )
        )
        for row in (differs, missing)
    }
    await stage.shop.execute("UPDATE checkouts SET total = total - 1 WHERE id = :id", id=differs["id"])
    await stage.shop.execute("UPDATE payment_attempts SET refunded = 30 WHERE id = :a", a=missing["attempt_id"])
    before = await stage.ledger()
    done = await reconcile(stage, fix=True)
    assert found(done) == {
        (FindingKind.CAPTURED_DIFFERS, payments[differs["id"]], 1),
        (FindingKind.REFUND_MISSING, payments[missing["id"]], 30),
        (FindingKind.RESOLVED_BY_HAND, theirs.payment_id, 4200),
    }
    assert done.left == 3
    assert await stage.ledger() == before


async def test_settling_is_once_whatever_answer_is_lost(stage: Stage, shop_side: Gateway) -> None:
    orphan = await paid_past_the_shop(shop_side, capture=True)
    stage.faults.then(contract.FIND_UNEXPLAINED, breaks).then(contract.SETTLE_FINDING, loses_its_answer, breaks)
    done = await reconcile(stage, fix=True)
    assert found(done) == {(FindingKind.UNKNOWN_CHECKOUT, orphan.payment_id, 4200)}
    assert done.left == 0
    [item] = await stage.ledger()
    assert (item["captured"], item["refunded"]) == (4200, 4200)


async def test_what_became_a_checkouts_own_meanwhile_is_not_settled(stage: Stage, shop_side: Gateway) -> None:
    """A finding of then, acted on now: the order's own money stays where it is."""
    run, _ = await stage.start(token=VISA)
    await run.handle.result()
    row = await stage.row(run)
    payment = str(await stage.shop.execute("SELECT gateway_payment_id FROM payment_attempts"))
    stale = Finding(FindingKind.ENDED_CHECKOUT, payment, row["id"], row["attempt_id"], "EUR", row["total"], "", "")

    async def stale_find(_: object) -> object:
        from checkout.domain.reconciliation import Unexplained

        return Unexplained(1, 1, [stale])

    stage.faults.then(contract.FIND_UNEXPLAINED, stale_find)
    await reconcile(stage, fix=True)
    [item] = await stage.ledger()
    assert (item["captured"], item["refunded"]) == (row["total"], 0)


async def test_what_was_refunded_at_the_gateway_is_written_down(stage: Stage, shop_side: Gateway) -> None:
    """Twice, the second time all that was left, and told of twice at once."""
    run, _ = await stage.start(token=VISA)
    await run.handle.result()
    total = (await stage.row(run))["total"]
    payment = str(await stage.shop.execute("SELECT gateway_payment_id FROM payment_attempts"))
    await shop_side.refund(payment, amount=500, key="by hand 1")
    assert found(await reconcile(stage)) == {(FindingKind.REFUNDED_ELSEWHERE, payment, 500)}
    assert (await reconcile(stage, fix=True)).left == 0
    await check_invariants(stage.engine, await stage.ledger())
    assert await stage.shop.rows("SELECT status FROM orders") == [("partially_refunded",)]
    await shop_side.refund(payment, amount=total - 500, key="by hand 2")
    twice = await asyncio.gather(reconcile(stage, fix=True), reconcile(stage, fix=True))
    assert [one.left for one in twice] == [0, 0]
    assert await stage.shop.rows("SELECT status, requested_by, amount FROM refunds ORDER BY created_at") == [
        ("refunded", "gateway", 500),
        ("refunded", "gateway", total - 500),
    ]
    assert (await reconcile(stage)).findings == []
    assert await stage.shop.rows("SELECT status FROM orders") == [("refunded",)]
    await check_invariants(stage.engine, await stage.ledger())


async def test_a_refund_that_is_on_its_way_is_no_finding(stage: Stage, shop_side: Gateway) -> None:
    """The gateway has done it, and the worker has not heard of it."""
    run, _ = await stage.start(token=VISA)
    await run.handle.result()
    reference = (await stage.row(run))["order_reference"]
    refund = RefundInput(refund_id(reference, "k"), reference)
    async with stage.sessions() as session, session.begin():
        await ask(session, Asked(refund.refund_id, reference, 700, None, False, "came late", "ada"))
    async with aiohttp.ClientSession(stage.gateway.url, headers={"Authorization": f"Bearer {API_KEY}"}) as gateway:
        async with gateway.post("/faults", json={"operation": "refund", "fault": "lost"}) as response:
            assert response.status < 300
        handle = await stage.client.start_workflow(
            contract.REFUND_WORKFLOW, refund, task_queue=stage.task_queue, **refund_options(refund)
        )

        async def gone_back() -> bool:
            [item] = await stage.ledger()
            return bool(item["refunded"] == 700)

        await eventually(gone_back, "the gateway has refunded it")
        done = await reconcile(stage, fix=True)
        assert (done.left, done.findings) == (0, [])
        await (await gateway.delete("/faults")).release()
    await handle.result()
    assert await stage.shop.rows("SELECT status, amount FROM refunds") == [("refunded", 700)]
    assert (await reconcile(stage)).findings == []
    await check_invariants(stage.engine, await stage.ledger())


async def test_page_by_page_and_no_more_than_fits(
    stage: Stage, shop_side: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "PAGE", 2)
    monkeypatch.setattr(reconciliation, "LISTED", 3)
    orphans = {(await paid_past_the_shop(shop_side)).payment_id for _ in range(5)}
    told = await reconcile(stage)
    assert (told.payments, told.left, len(told.findings)) == (5, 5, 3)
    assert (await reconcile(stage, fix=True)).left == 2
    mended = await reconcile(stage, fix=True)
    assert (mended.left, len(mended.findings)) == (0, 2)
    assert all([(await shop_side.fetch(orphan)).settled for orphan in orphans])


async def test_the_schedule_starts_it_and_ops_find_the_run(stage: Stage, shop_side: Gateway) -> None:
    orphan = await paid_past_the_shop(shop_side)
    [wanted] = [one for one in recurring(load_settings()) if one.workflow == contract.RECONCILIATION_WORKFLOW]
    mine = replace(wanted, schedule_id=f"test-{secrets.token_hex(6)}")
    await keep_schedules(stage.client, [mine], stage.task_queue)
    schedule = stage.client.get_schedule_handle(mine.schedule_id)
    await schedule.trigger()

    async def started() -> list[ScheduleActionResult]:
        return list((await schedule.describe()).info.recent_actions)

    [action] = await eventually(started, "the schedule has started it")
    assert isinstance(action.action, ScheduleActionExecutionStartWorkflow)
    handle = stage.client.get_workflow_handle(action.action.workflow_id, result_type=Reconciled)
    done = await handle.result()
    assert (found(done), done.left) == ({(FindingKind.UNKNOWN_CHECKOUT, orphan.payment_id, 4200)}, 1)
    assert not (await shop_side.fetch(orphan.payment_id)).settled  # it tells, and touches nothing
    shown = await handle.describe()
    assert shown.typed_search_attributes.get(search.STATE) == "findings"
    await keep_schedules(stage.client, [replace(mine, every=0)], stage.task_queue)
