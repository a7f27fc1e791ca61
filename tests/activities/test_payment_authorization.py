"""Phase 4 on real rows and a real gateway: authorized once, declined, away, or not what was asked for."""

import asyncio

import pytest
from temporalio.exceptions import ApplicationError

from checkout.payments.port import Payment, Refused
from tests.activities.paying import TOTAL, Pause, Paying, changed, lose
from tests.support.gateway import once

# -- what it does ----------------------------------------------------------------------------------------------------


async def test_it_authorizes_the_frozen_total_and_erases_the_token(paying: Paying) -> None:
    attempt = await paying.attempt()
    result = await paying.authorize(attempt)
    row, checkout = paying.row(attempt), paying.checkout()
    assert result.authorized
    assert (result.attempts_left, result.declined, result.version) == (3, None, checkout["version"])
    assert result.gateway_reference == row["gateway_payment_id"]
    assert (row["status"], row["number"], row["token"]) == ("authorized", 1, None)
    assert (row["amount"], row["currency"], row["authorized"]) == (TOTAL, "EUR", TOTAL)
    assert (checkout["state"], checkout["payment_status"]) == ("creating_order", "authorized")
    assert (checkout["attempt_id"], checkout["payment_method"], checkout["last_error"]) == (attempt, "card", None)
    assert await paying.money() == [(TOTAL, 0, 0, 0)]
    assert "tok_" not in str(checkout) + str(row)


async def test_done_it_answers_the_same_without_asking_the_gateway(paying: Paying) -> None:
    attempt = await paying.attempt()
    first = await paying.authorize(attempt)
    calls = list(paying.gateway.calls)
    assert await paying.authorize(attempt) == first
    paying.state("capturing")
    assert await paying.authorize(attempt) == first, "however far the checkout has come"
    assert paying.gateway.calls == calls == ["create", "confirm"]


async def test_ten_runs_at_once_authorize_once(paying: Paying) -> None:
    attempt = await paying.attempt()
    results = await asyncio.gather(*(paying.authorize(attempt) for _ in range(10)))
    assert all(result == results[0] for result in results)
    assert await paying.money() == [(TOTAL, 0, 0, 0)]
    assert paying.row(attempt)["status"] == "authorized"


async def test_a_run_that_is_overtaken_between_create_and_confirm_changes_nothing(paying: Paying) -> None:
    attempt = await paying.attempt()
    pause = paying.gateway.after["create"] = Pause()
    late = asyncio.create_task(paying.authorize(attempt))
    await pause.reached.wait()
    result = await paying.authorize(attempt)
    pause.go()
    assert await late == result
    assert paying.row(attempt)["status"] == "authorized", "not set back to created"
    assert paying.gateway.calls.count("confirm") == 1


async def test_no_transaction_is_open_while_the_gateway_is_called(paying: Paying) -> None:
    attempt = await paying.attempt()
    open_transactions: list[object] = []

    async def look(_: Payment | None) -> None:
        open_transactions.extend(
            paying.execute(
                "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
            )
        )

    paying.gateway.before = dict.fromkeys(("create", "confirm", "capture", "fetch", "refund", "cancel"), look)
    await paying.authorize(attempt)
    paying.state("capturing")
    await paying.capture()
    await paying.refund()
    assert paying.gateway.calls == ["create", "confirm", "capture", "fetch", "refund", "fetch"]
    assert open_transactions == []


# -- declines --------------------------------------------------------------------------------------------------------


async def test_a_decline_is_a_result_and_leaves_the_next_attempt(paying: Paying) -> None:
    attempt = await paying.attempt("tok_insufficientFunds")
    result = await paying.authorize(attempt)
    checkout, row = paying.checkout(), paying.row(attempt)
    assert not result.authorized
    assert (result.attempts_left, result.version) == (2, checkout["version"])
    assert result.declined is not None
    assert (result.declined.code, result.declined.benign) == ("insufficient_funds", True)
    assert (row["status"], row["code"], row["token"]) == ("declined", "insufficient_funds", None)
    assert (checkout["state"], checkout["attempts_left"]) == ("awaiting_payment", 2)
    assert checkout["last_error"]["code"] == "insufficient_funds"
    assert await paying.authorize(attempt) == result, "repeated, it does not count again"
    assert paying.checkout()["attempts_left"] == 2
    assert await paying.money() == []


async def test_what_nobody_could_decide_about_costs_no_attempt(paying: Paying) -> None:
    for _ in range(4):
        attempt = await paying.attempt("tok_processingError")
        result = await paying.authorize(attempt)
        assert (result.authorized, result.attempts_left) == (False, 3)
        assert result.declined is not None
        assert result.declined.code == paying.checkout()["last_error"]["code"] == "not_processed"
        assert (paying.row(attempt)["status"], paying.row(attempt)["token"]) == ("refused", None)
        assert await paying.authorize(attempt) == result
    assert (paying.checkout()["state"], paying.checkout()["attempts_left"]) == ("awaiting_payment", 3)
    assert (await paying.authorize(await paying.attempt())).authorized
    assert await paying.money() == [(TOTAL, 0, 0, 0)]


async def test_a_run_that_hears_of_the_same_decline_late_does_not_count_it_again(paying: Paying) -> None:
    attempt = await paying.attempt("tok_chargeDeclined")
    pause = paying.gateway.before["confirm"] = Pause()
    late = asyncio.create_task(paying.authorize(attempt))
    await pause.reached.wait()
    result = await paying.authorize(attempt)
    pause.go()
    assert await late == result
    assert (paying.checkout()["attempts_left"], paying.checkout()["version"]) == (2, result.version)


async def test_a_good_card_after_a_declined_one(paying: Paying) -> None:
    declined = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(declined)
    good = await paying.attempt()
    result = await paying.authorize(good)
    assert result.authorized
    assert result.attempts_left == 2
    assert (paying.row(good)["number"], paying.checkout()["last_error"]) == (2, None)
    assert await paying.money() == [(TOTAL, 0, 0, 0)]


async def test_the_last_decline_leaves_no_attempt(paying: Paying) -> None:
    for left in (2, 1, 0):
        result = await paying.authorize(await paying.attempt("tok_chargeDeclined"))
        assert (result.authorized, result.attempts_left) == (False, left)
    assert paying.checkout()["state"] == "authorizing", "nobody is asked to pay again"
    with pytest.raises(ApplicationError) as refused:
        await paying.authorize(await paying.attempt())
    assert refused.value.type == "no_attempts_left"
    assert await paying.money() == []
    assert (await paying.void()).count == 1, "the others were settled when they were replaced"


async def test_an_unknown_token_is_declined(paying: Paying) -> None:
    result = await paying.authorize(await paying.attempt("tok_\N{SNOWMAN}"))
    assert result.declined is not None
    assert result.declined.code == "invalid_token"


# -- the gateway is away ---------------------------------------------------------------------------------------------


async def test_an_outage_is_retried_and_counts_no_attempt(paying: Paying) -> None:
    attempt = await paying.attempt("tok_gatewayDown")
    for _ in range(2):
        with pytest.raises(ApplicationError) as away:
            await paying.authorize(attempt)
        assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
        assert (paying.checkout()["state"], paying.checkout()["attempts_left"]) == ("authorizing", 3)
    assert (await paying.authorize(attempt)).authorized
    assert await paying.money() == [(TOTAL, 0, 0, 0)]


@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_a_lost_answer_is_found_by_the_next_run(paying: Paying, operation: str) -> None:
    attempt = await paying.attempt()
    paying.gateway.after[operation] = once(lose)
    with pytest.raises(ApplicationError):
        await paying.authorize(attempt)
    assert (await paying.authorize(attempt)).authorized
    assert await paying.money() == [(TOTAL, 0, 0, 0)]


@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_what_a_lost_answer_leaves_is_given_back(paying: Paying, operation: str) -> None:
    """The model's CONFIRM_FIRST: confirmed, then the worker dies. The id must be known by then."""
    attempt = await paying.attempt()
    paying.gateway.after[operation] = once(lose)
    with pytest.raises(ApplicationError):
        await paying.authorize(attempt)
    await paying.void()
    assert await paying.money() == ([] if operation == "create" else [(TOTAL, 0, 0, TOTAL)])
    assert paying.row(attempt)["token"] is None


# -- differences -----------------------------------------------------------------------------------------------------


async def test_less_than_the_total_is_refused_and_given_back(paying: Paying) -> None:
    attempt = await paying.attempt("tok_partialAuthorization")
    with pytest.raises(ApplicationError) as difference:
        await paying.authorize(attempt)
    assert (difference.value.type, difference.value.non_retryable) == ("authorized_amount_differs", True)
    assert difference.value.details[0] == {"currency": "EUR", "expected": TOTAL, "authorized": TOTAL // 2}
    assert await paying.money() == [(TOTAL // 2, 0, 0, TOTAL // 2)]
    assert (paying.row(attempt)["status"], paying.row(attempt)["code"]) == ("voided", "authorized_amount_differs")
    assert (await paying.void()).version == paying.checkout()["version"]
    assert paying.checkout()["payment_status"] == "voided"


async def test_a_difference_that_the_gateway_does_not_give_back_is_tried_again_without_its_words(
    paying: Paying,
) -> None:
    async def refuse(_: Payment | None) -> None:
        raise Refused("bank_closed", "the bank of Ada Lovelace is closed")

    attempt = await paying.attempt("tok_partialAuthorization")
    paying.gateway.before["cancel"] = refuse
    with pytest.raises(ApplicationError) as refused:
        await paying.authorize(attempt)
    assert (refused.value.type, refused.value.non_retryable) == ("gateway_refused", False)
    assert (refused.value.message, refused.value.details) == ("the payment gateway refuses: bank_closed", ())
    del paying.gateway.before["cancel"]
    with pytest.raises(ApplicationError, match="another amount than the total"):
        await paying.authorize(attempt)
    assert await paying.money() == [(TOTAL // 2, 0, 0, TOTAL // 2)]


async def test_another_currency_is_refused_and_given_back(paying: Paying) -> None:
    attempt = await paying.attempt()
    paying.gateway.after["confirm"] = changed(currency="USD")
    with pytest.raises(ApplicationError) as difference:
        await paying.authorize(attempt)
    assert difference.value.type == "authorized_amount_differs"
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]


@pytest.mark.parametrize("operation", ["create", "confirm"])
async def test_a_refusal_of_the_gateway_is_definite(paying: Paying, operation: str) -> None:
    attempt = await paying.attempt()

    async def refuse() -> None:
        raise Refused("account_closed", "the account is closed: tok_visa" + "." * 1000)

    paying.gateway.before[operation] = once(refuse)
    with pytest.raises(ApplicationError) as refused:
        await paying.authorize(attempt)
    assert (refused.value.type, refused.value.non_retryable) == ("gateway_refused", True)
    assert (refused.value.message, refused.value.details[0]) == ("the payment cannot be authorized", {})
    assert refused.value.details[1] == {"gateway_code": "account_closed"}
    row = paying.row(attempt)
    assert (row["status"], row["token"], row["code"]) == ("refused", None, "gateway_refused")
    assert (row["message"], row["gateway_code"]) == ("the payment cannot be authorized", "account_closed")
    assert row["gateway_detail"].startswith("the account is closed: ….")
    assert len(row["gateway_detail"]) == 500
    await paying.void()
    assert await paying.money() == []
