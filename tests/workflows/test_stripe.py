"""Whole checkouts that are paid at Stripe: what is left in the shop's rows and, by the adapter, in Stripe's books."""

import pytest

from checkout.domain.words import Outcome, Phase, State
from tests.support.stripe.server import RETURN_URL, StripeServer
from tests.workflows.outcome import assert_ended
from tests.workflows.stage import Stage
from tests.workflows.test_reconciliation import reconcile

VISA, DECLINED = "pm_card_visa", "pm_card_visa_chargeDeclined"
APPROVAL, LAPSES = "pm_card_authenticationRequired", "pm_card_authorizationLapses"

#: Another user of the account, or a shop that has lost its rows, takes 42.00 EUR.
INTENT = {"amount": 4200, "currency": "eur", "capture_method": "manual", "payment_method": VISA}


async def test_paid_at_once(stripe_stage: Stage) -> None:
    async with stripe_stage.worker():
        run, view = await stripe_stage.start(token=VISA)
        assert view.state is State.COMPLETED
        await run.result()
    row = await assert_ended(stripe_stage, run, State.COMPLETED)
    [item] = await stripe_stage.ledger(run)
    assert (item["captured"], item["status"]) == (row["total"], "captured")


async def test_declined_then_paid(stripe_stage: Stage) -> None:
    async with stripe_stage.worker():
        run, _ = await stripe_stage.start()
        declined = await stripe_stage.pay(run, DECLINED)
        assert (declined.state, declined.attempts_left) == (State.AWAITING_PAYMENT, 2)
        assert (await stripe_stage.pay(run, VISA)).state is State.COMPLETED
        await run.result()
    await assert_ended(stripe_stage, run, State.COMPLETED)
    assert len(await stripe_stage.ledger(run)) == 1


@pytest.mark.parametrize("told_by", ["event", "confirm", "both"])
async def test_approved_with_3d_secure(stripe_stage: Stage, told_by: str) -> None:
    async with stripe_stage.worker():
        run, view = await stripe_stage.start(token=APPROVAL, return_url=RETURN_URL)
        assert view.state is State.REQUIRES_ACTION
        assert (await stripe_stage.row(run))["next_action"]["return_url"] == RETURN_URL
        await stripe_stage.act(run, "approve")
        if told_by != "confirm":
            await stripe_stage.changed(run)
        if told_by != "event":
            assert (await run.confirm()).state is State.COMPLETED
        await run.result()
    await assert_ended(stripe_stage, run, State.COMPLETED)


async def test_denied_then_paid(stripe_stage: Stage) -> None:
    async with stripe_stage.worker():
        run, _ = await stripe_stage.start(token=APPROVAL, return_url=RETURN_URL)
        await stripe_stage.act(run, "deny")
        denied = await run.confirm()
        assert (denied.state, denied.attempts_left) == (State.AWAITING_PAYMENT, 2)
        assert denied.last_error is not None
        assert denied.last_error.code == "not_approved"
        assert (await stripe_stage.pay(run, VISA)).state is State.COMPLETED
        await run.result()
    await assert_ended(stripe_stage, run, State.COMPLETED)


async def test_an_authorization_that_lapsed_before_its_capture(stripe_stage: Stage) -> None:
    async with stripe_stage.worker():
        run, view = await stripe_stage.start(token=LAPSES)
        assert view.state is State.FAILED
        assert (await run.failure()).type == "capture_refused"
    await assert_ended(stripe_stage, run, State.FAILED, "capture_refused", Phase.PAYMENT_CAPTURE)


async def test_answers_that_never_came_back(stripe_stage: Stage, stripe_server: StripeServer) -> None:
    """Stripe has done it, and the shop does not know: nothing is done twice."""
    for path, fault in (("/payment_intents", "lost"), ("/confirm", "error_after"), ("/capture", "error_after")):
        stripe_server.faulty(path, fault)
    async with stripe_stage.worker():
        run = await stripe_stage.launch(token=VISA)
        await run.result()
    await assert_ended(stripe_stage, run, State.COMPLETED)
    assert len(await stripe_stage.ledger(run)) == 1


async def test_expired_while_the_buyer_was_asked(stripe_stage: Stage) -> None:
    async with stripe_stage.worker():
        run, _ = await stripe_stage.start(token=APPROVAL, return_url=RETURN_URL)
        url = str((await stripe_stage.row(run))["next_action"]["url"])
        await run.pass_time(1000)
        assert (await run.result()).outcome is Outcome.EXPIRED
        with pytest.raises(AssertionError):
            await stripe_stage.act_at(url, "approve")
    await assert_ended(stripe_stage, run, State.EXPIRED)


async def test_reconciliation_gives_back_what_belongs_to_nothing_and_leaves_other_users_of_the_account_alone(
    stripe_stage: Stage, stripe_server: StripeServer
) -> None:
    mine = {"checkout_id": "chk_nobody_knows", "attempt_id": "pay_1"}
    foreign = stripe_server.post("/payment_intents", **INTENT)["id"]
    lost = stripe_server.post("/payment_intents", **INTENT, **{f"metadata[{name}]": mine[name] for name in mine})["id"]
    for payment_id in (foreign, lost):
        stripe_server.post(f"/payment_intents/{payment_id}/confirm", return_url=RETURN_URL)
    async with stripe_stage.worker():
        run, _ = await stripe_stage.start(token=VISA)
        await run.result()
        done = await reconcile(stripe_stage, fix=True)
    assert [(one.payment_id, one.fixed) for one in done.findings] == [(lost, True)]
    assert stripe_server.get(f"/payment_intents/{foreign}")["status"] == "requires_capture"
    assert stripe_server.get(f"/payment_intents/{lost}")["status"] == "canceled"
    await assert_ended(stripe_stage, run, State.COMPLETED)
