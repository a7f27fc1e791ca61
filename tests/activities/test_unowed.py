"""What a bank sent and nobody owed goes back once, with a row for each return, whatever is lost or repeated."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from checkout.payments.port import Refused
from tests.activities.paying import TOTAL, Pause, Paying, lose
from tests.support.gateway import once


async def transferred(paying: Paying, amount: int) -> tuple[str, str]:
    """A transfer of so much for a checkout that awaits the total; the payment, and its attempt."""
    attempt = await paying.attempt(None, "bank_transfer")
    await paying.authorize(attempt)
    paying.state("awaiting_funds")
    await paying.act(attempt, "funds_received", amount)
    paying.gateway.calls.clear()
    return paying.row(attempt)["gateway_payment_id"], attempt


def noted(paying: Paying, payment_id: str) -> list[tuple[int, int]]:
    """(amount, returned until) of each return that ops are told of."""
    rows = paying.execute("SELECT * FROM unowed_money WHERE payment_id = %s ORDER BY returned_until", payment_id)
    assert {row["checkout_id"] for row in rows} <= {paying.checkout_id}
    return [(row["amount"], row["returned_until"]) for row in rows]


async def test_an_excess_goes_back_once_and_the_sale_keeps_its_money(paying: Paying) -> None:
    payment, attempt = await transferred(paying, TOTAL + 62)
    assert (await paying.give_back_unowed(payment, attempt)).amount == 62
    assert (await paying.give_back_unowed(payment, attempt)).amount == 0
    assert noted(paying, payment) == [(62, 62)]
    assert await paying.money() == [(TOTAL + 62, 62, 62, 0)]
    assert paying.gateway.calls == ["fetch", "return_unowed", "fetch"]


async def test_nothing_unowed_is_no_return(paying: Paying) -> None:
    payment, attempt = await transferred(paying, 2000)
    assert (await paying.give_back_unowed(payment, attempt)).amount == 0
    assert (noted(paying, payment), paying.gateway.calls) == ([], ["fetch"])


async def test_what_comes_after_the_first_return_goes_back_by_a_second(paying: Paying) -> None:
    payment, attempt = await transferred(paying, TOTAL + 62)
    await paying.give_back_unowed(payment, attempt)
    await paying.act(attempt, "funds_received", 62)
    assert (await paying.give_back_unowed(payment, attempt)).amount == 62, "as much as before: no repeat of it"
    assert noted(paying, payment) == [(62, 62), (62, 124)]
    assert await paying.money() == [(TOTAL + 124, 124, 124, 0)]


async def test_all_that_comes_for_a_checkout_that_is_undone_goes_back(paying: Paying) -> None:
    payment, attempt = await transferred(paying, 2000)
    await paying.void()
    await paying.act(attempt, "funds_received", TOTAL)
    assert (await paying.give_back_unowed(payment, attempt)).amount == TOTAL
    assert noted(paying, payment) == [(TOTAL, TOTAL)]
    assert await paying.money() == [(2000 + TOTAL, TOTAL, TOTAL, 2000)]


async def test_a_lost_answer_is_found_by_the_next_run(paying: Paying) -> None:
    payment, attempt = await transferred(paying, TOTAL + 62)
    for when, operation in ((paying.gateway.before, "fetch"), (paying.gateway.after, "return_unowed")):
        when[operation] = once(lose)
        with pytest.raises(ApplicationError) as away:
            await paying.give_back_unowed(payment, attempt)
        assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
    assert (await paying.give_back_unowed(payment, attempt)).amount == 0, "it had gone back by then"
    assert noted(paying, payment) == [(62, 62)], "and ops were told before it went"
    assert await paying.money() == [(TOTAL + 62, 62, 62, 0)]


async def test_what_never_left_is_noted_once_and_goes_back_by_the_next_run(paying: Paying) -> None:
    payment, attempt = await transferred(paying, TOTAL + 62)
    paying.gateway.before["return_unowed"] = once(lose)
    with pytest.raises(ApplicationError):
        await paying.give_back_unowed(payment, attempt)
    assert (noted(paying, payment), await paying.money()) == ([(62, 62)], [(TOTAL + 62, 62, 0, 0)])
    assert (await paying.give_back_unowed(payment, attempt)).amount == 62
    assert noted(paying, payment) == [(62, 62)]


async def test_a_return_that_wakes_up_when_others_have_been_here_sends_nothing_more(paying: Paying) -> None:
    """No state of the checkout admits or forbids it: what was asked for before is the gateway's to know, by its key."""
    payment, attempt = await transferred(paying, TOTAL + 62)
    pause = paying.gateway.after["fetch"] = Pause()
    late = asyncio.create_task(paying.give_back_unowed(payment, attempt))
    await pause.reached.wait()
    await paying.give_back_unowed(payment, attempt)
    await paying.act(attempt, "funds_received", 100)
    await paying.give_back_unowed(payment, attempt)
    await paying.act(attempt, "funds_received", 62)  # as much as the late one saw, and still to be noted
    pause.go()
    await late
    assert noted(paying, payment) == [(62, 62), (100, 162)]
    assert await paying.money() == [(TOTAL + 224, 224, 162, 0)]


async def test_ten_at_once_return_once(paying: Paying) -> None:
    payment, attempt = await transferred(paying, TOTAL + 62)
    await asyncio.gather(*(paying.give_back_unowed(payment, attempt) for _ in range(10)))
    assert noted(paying, payment) == [(62, 62)]
    assert await paying.money() == [(TOTAL + 62, 62, 62, 0)]


@pytest.mark.parametrize("operation", ["fetch", "return_unowed"])
async def test_what_the_gateway_refuses_is_tried_again_until_people_have_resolved_it(
    paying: Paying, operation: str
) -> None:
    payment, attempt = await transferred(paying, TOTAL + 62)

    async def refuse() -> None:
        raise Refused("account_closed", "the account is closed")

    paying.gateway.before[operation] = once(refuse)
    with pytest.raises(ApplicationError, match="people have to") as refused:
        await paying.give_back_unowed(payment, attempt)
    assert (refused.value.type, refused.value.non_retryable) == ("gateway_refused", False)
    assert "the account is closed" not in refused.value.message, (
        "the gateway's sentence is for the log, not for histories"
    )
    assert (await paying.give_back_unowed(payment, attempt)).amount == 62
