"""Phase 4 on real rows and a real gateway: what is authorized once, and what is given back whatever happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from checkout.activities.cart_validation import CartValidation
from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.domain.messages import AuthorizationInput
from checkout.payments.port import GatewayStatus, Payment, Refused, Unavailable
from tests.activities.paying import TOTAL, Pause, Paying, changed, checkout_that_waits
from tests.support.gateway import GatewayServer, once


@pytest.fixture
async def paying(shared_database_url: str, gateway_server: GatewayServer) -> AsyncIterator[Paying]:
    async with checkout_that_waits(shared_database_url, gateway_server) as paying:
        yield paying


async def lose() -> None:
    raise Unavailable("the answer is lost")


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
        raise Refused("account_closed", "the account is closed")

    paying.gateway.before[operation] = once(refuse)
    with pytest.raises(ApplicationError) as refused:
        await paying.authorize(attempt)
    assert (refused.value.type, refused.value.non_retryable) == ("gateway_refused", True)
    assert refused.value.details[0] == {"gateway_code": "account_closed"}
    assert (paying.row(attempt)["status"], paying.row(attempt)["token"]) == ("declined", None)
    await paying.void()
    assert await paying.money() == []


# -- one attempt after the other -------------------------------------------------------------------------------------


async def test_an_attempt_is_settled_before_the_next_begins_and_its_late_confirm_is_refused(paying: Paying) -> None:
    """The model's NO_VOID_ON_RETRY: the first card's confirm comes through when the second has been paid with."""
    first = await paying.attempt("tok_gatewayDown")
    for _ in range(2):
        with pytest.raises(ApplicationError):
            await paying.authorize(first)
    second = await paying.attempt()
    assert (await paying.authorize(second)).authorized
    with pytest.raises(Refused):  # the gateway is up again: without the settling this would authorize
        await paying.gateway.real.confirm(paying.row(first)["gateway_payment_id"], key="late")
    assert await paying.money() == [(TOTAL, 0, 0, 0)]
    assert paying.row(first)["status"] == "voided"


async def test_a_declined_attempt_is_settled_before_the_next_begins(paying: Paying) -> None:
    declined = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(declined)
    assert (await paying.payment(declined)).status == GatewayStatus.DECLINED
    seen: list[GatewayStatus] = []

    async def look(_: Payment | None) -> None:
        seen.append((await paying.payment(declined)).status)

    paying.gateway.before["create"] = look
    await paying.authorize(await paying.attempt())
    assert seen == [GatewayStatus.VOIDED]


@pytest.mark.parametrize("place", ["after create", "before confirm", "after confirm"])
async def test_a_replaced_attempt_that_wakes_up_late_holds_nothing(paying: Paying, place: str) -> None:
    first, second = await paying.attempt(), await paying.attempt()
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.authorize(first))
    await pause.reached.wait()
    assert (await paying.authorize(second)).authorized
    pause.go()
    with pytest.raises(ApplicationError) as replaced:
        await late
    assert replaced.value.non_retryable
    assert replaced.value.type in {"attempt_replaced", "out_of_order"}
    held = [item for item in await paying.ledger() if item["authorized"] > item["voided"]]
    assert [item["payment_id"] for item in held] == [paying.row(second)["gateway_payment_id"]]
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(first)
    assert replaced.value.non_retryable
    assert paying.checkout()["attempt_id"] == second


@pytest.mark.parametrize("place", ["before create", "after create", "before confirm", "after confirm"])
async def test_a_replaced_attempt_that_wakes_up_after_its_successor_was_declined_pays_nothing(
    paying: Paying, place: str
) -> None:
    """The checkout waits for a payment again, so its state admits the phase; but this attempt no longer counts."""
    first, second = await paying.attempt(), await paying.attempt("tok_chargeDeclined")
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.authorize(first))
    await pause.reached.wait()
    assert not (await paying.authorize(second)).authorized
    pause.go()
    with pytest.raises(ApplicationError) as replaced:
        await late
    assert (replaced.value.type, replaced.value.non_retryable) == ("attempt_replaced", True)
    assert (paying.checkout()["state"], paying.checkout()["attempt_id"]) == ("awaiting_payment", second)
    assert all(item["authorized"] == item["voided"] for item in await paying.ledger())


async def test_a_replaced_attempt_never_takes_its_place_back(paying: Paying) -> None:
    first, second = await paying.attempt("tok_gatewayDown"), await paying.attempt("tok_chargeDeclined")
    with pytest.raises(ApplicationError):
        await paying.authorize(first)
    await paying.authorize(second)
    calls = list(paying.gateway.calls)
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(first)
    assert (replaced.value.type, replaced.value.non_retryable) == ("attempt_replaced", True)
    assert paying.gateway.calls == calls
    assert (paying.checkout()["attempt_id"], paying.checkout()["state"]) == (second, "awaiting_payment")


async def test_a_discarded_attempt_is_not_taken_up(paying: Paying) -> None:
    attempt = await paying.attempt()
    await paying.discard(attempt)
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(attempt)
    assert (replaced.value.type, replaced.value.non_retryable) == ("attempt_replaced", True)
    assert (paying.row(attempt)["status"], paying.row(attempt)["token"]) == ("discarded", None)
    assert (paying.checkout()["attempt_id"], paying.gateway.calls) == (None, [])


@pytest.mark.parametrize("place", ["before create", "after create", "before confirm"])
async def test_an_attempt_that_was_taken_up_cannot_be_discarded(paying: Paying, place: str) -> None:
    """An API that gave up too early must not take a payment's id or token from it."""
    attempt = await paying.attempt()

    async def discard() -> None:
        await paying.discard(attempt)

    when, operation = place.split()
    getattr(paying.gateway, when)[operation] = once(discard)
    assert (await paying.authorize(attempt)).authorized
    assert paying.row(attempt)["status"] == "authorized"
    assert paying.row(attempt)["gateway_payment_id"] == (await paying.payment(attempt)).payment_id


async def test_an_object_whose_id_could_not_be_stored_is_not_confirmed(paying: Paying) -> None:
    attempt = await paying.attempt()

    async def close() -> None:
        paying.execute("UPDATE payment_attempts SET status = 'discarded', token = NULL WHERE id = %s", attempt)

    paying.gateway.after["create"] = once(close)
    with pytest.raises(ApplicationError) as replaced:
        await paying.authorize(attempt)
    assert replaced.value.non_retryable
    assert paying.gateway.calls == ["create"]
    assert await paying.money() == []


async def test_a_settling_that_fails_keeps_the_next_attempt_waiting(paying: Paying) -> None:
    declined = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(declined)
    good = await paying.attempt()
    paying.gateway.before["cancel"] = once(lose)
    with pytest.raises(ApplicationError) as away:
        await paying.authorize(good)
    assert away.value.type == "gateway_unavailable"
    assert paying.row(good)["gateway_payment_id"] is None
    assert (await paying.authorize(good)).authorized
    assert (await paying.payment(declined)).status == GatewayStatus.VOIDED


async def test_an_attempt_of_another_checkout_is_not_taken(paying: Paying) -> None:
    other = Paying(paying.database_url, paying.sessions, paying.server, paying.gateway)
    await other.await_payment()
    for attempt in (await other.attempt(), "pay_unknown"):
        with pytest.raises(ApplicationError) as unknown:
            await paying.authorize(attempt)
        assert unknown.value.type == "attempt_unknown"
    assert paying.gateway.calls == []


# -- the fence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["compensating", "failed", "expired", "cancelled"])
async def test_nothing_is_asked_for_a_checkout_that_is_undone(paying: Paying, state: str) -> None:
    attempt = await paying.attempt()
    paying.state(state)
    with pytest.raises(ApplicationError) as fenced:
        await paying.authorize(attempt)
    assert (fenced.value.type, fenced.value.non_retryable) == ("checkout_closed", True)
    assert paying.gateway.calls == []


@pytest.mark.parametrize("place", ["before create", "after create", "before confirm", "after confirm"])
async def test_an_attempt_that_wakes_up_after_the_compensation_leaves_nothing(paying: Paying, place: str) -> None:
    """The model's NO_ROW_CHECK_AFTER (and the tombstone at the gateway, when it was past the check)."""
    attempt = await paying.attempt()
    when, operation = place.split()
    pause = Pause()
    getattr(paying.gateway, when)[operation] = pause
    late = asyncio.create_task(paying.authorize(attempt))
    await pause.reached.wait()
    await paying.void()
    pause.go()
    with pytest.raises(ApplicationError) as fenced:
        await late
    assert (fenced.value.type, fenced.value.non_retryable) == ("checkout_closed", True)
    assert await paying.money() == ([(TOTAL, 0, 0, TOTAL)] if place == "after confirm" else [])
    if operation == "create":
        assert "confirm" not in paying.gateway.calls
    assert paying.checkout()["state"] == "compensating"
    assert paying.row(attempt)["token"] is None


async def test_a_compensation_that_comes_before_the_checkout_was_written_keeps_its_payment_out(paying: Paying) -> None:
    """The tombstone: an express attempt is stored before the row exists; nothing may authorize it any more."""
    unwritten = Paying(paying.database_url, paying.sessions, paying.server, paying.gateway, cart_id=paying.cart_id)
    attempt = await unwritten.attempt()
    assert (await unwritten.void()).count == 0
    assert unwritten.checkout()["state"] == "compensating"
    assert (unwritten.row(attempt)["status"], unwritten.row(attempt)["token"]) == ("discarded", None)
    with pytest.raises(ApplicationError) as fenced:
        await unwritten.authorize(attempt)
    assert fenced.value.type == "checkout_closed"
    assert paying.gateway.calls == []


# -- void ------------------------------------------------------------------------------------------------------------


async def test_void_settles_every_attempt_and_repeated_changes_nothing(paying: Paying) -> None:
    first = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(first)
    second, unused = await paying.attempt(), await paying.attempt()
    await paying.authorize(second)
    done = await paying.void()
    # The first was settled when the second was taken up.
    assert done.count == 1
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
    assert [paying.row(one)["status"] for one in (first, second, unused)] == ["voided", "voided", "discarded"]
    checkout = paying.checkout()
    assert (checkout["state"], checkout["payment_status"]) == ("compensating", "voided")
    assert done.version == checkout["version"]
    again = await paying.void()
    assert (again.count, again.version, paying.checkout()["version"]) == (0, checkout["version"], checkout["version"])


@pytest.mark.parametrize("state", ["failed", "expired", "cancelled"])
async def test_void_of_a_checkout_that_is_undone_changes_nothing(paying: Paying, state: str) -> None:
    attempt = await paying.attempt()
    paying.state(state)
    before = paying.checkout(), paying.row(attempt)
    done = await paying.void()
    assert (done.count, done.version) == (0, before[0]["version"])
    assert (paying.checkout(), paying.row(attempt)) == before


async def test_void_of_a_completed_checkout_is_refused(paying: Paying) -> None:
    """The model's NOT_ABSORBING."""
    await paying.authorize(await paying.attempt())
    paying.state("capturing")
    await paying.capture()
    paying.state("completed")
    for compensation in (paying.void, paying.refund):
        with pytest.raises(ApplicationError) as completed:
            await compensation()
        assert (completed.value.type, completed.value.non_retryable) == ("checkout_completed", True)
    assert await paying.money() == [(TOTAL, TOTAL, 0, 0)]


async def test_a_payment_whose_phase_was_never_reached_leaves_no_token(paying: Paying) -> None:
    """An express checkout that fails before: void does not run, the unlocking of the cart does."""
    attempt = await paying.attempt()
    await paying.run(CartValidation(paying.sessions).unlock, paying.compensation())
    assert (paying.row(attempt)["status"], paying.row(attempt)["token"]) == ("discarded", None)
    assert paying.checkout()["state"] == "expired"


async def test_void_is_tried_again_until_the_gateway_answers(paying: Paying) -> None:
    attempt = await paying.attempt()
    await paying.authorize(attempt)
    paying.gateway.before["fetch"] = once(lose)
    with pytest.raises(ApplicationError) as away:
        await paying.refund()
    assert (away.value.type, away.value.non_retryable) == ("gateway_unavailable", False)
    assert paying.checkout()["state"] == "compensating", "the fence stands while the gateway is away"
    assert (await paying.refund()).count == 1
    assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]


async def test_what_the_gateway_refuses_is_kept_open_and_the_rest_is_given_back(paying: Paying) -> None:
    """Two objects hold money (a gateway that erred); one cannot be voided: people see it, the other is free."""
    stuck = await paying.attempt("tok_chargeDeclined")
    await paying.authorize(stuck)
    paying.execute("UPDATE payment_attempts SET gateway_payment_id = 'gw_lost' WHERE id = %s", stuck)
    paying.execute("UPDATE payment_attempts SET status = 'voided' WHERE id = %s", stuck)
    good = await paying.attempt()
    await paying.authorize(good)
    paying.execute("UPDATE payment_attempts SET status = 'declined' WHERE id = %s", stuck)
    for _ in range(2):
        with pytest.raises(ApplicationError) as refused:
            await paying.refund()
        assert (refused.value.type, refused.value.non_retryable) == ("gateway_refused", False)
        assert await paying.money() == [(TOTAL, 0, 0, TOTAL)]
    assert paying.row(good)["status"] == "voided"


# -- heartbeats ------------------------------------------------------------------------------------------------------


async def test_it_beats_while_the_gateway_is_slow_and_a_cancel_reaches_it(paying: Paying) -> None:
    attempt = await paying.attempt("tok_slow")
    environment = ActivityEnvironment()
    beaten = asyncio.Event()
    environment.on_heartbeat = lambda *_: beaten.set()
    authorized = asyncio.Event()

    async def watch(_: Payment | None) -> None:
        authorized.set()

    paying.gateway.before["confirm"] = watch
    activities = PaymentAuthorization(paying.sessions, paying.gateway)
    given = AuthorizationInput(paying.checkout_id, paying.cart_id, attempt)
    running = asyncio.ensure_future(environment.run(activities.authorize, given))
    await authorized.wait()
    await beaten.wait()
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    # Whether the confirm had left or not: what is undone now stays undone.
    await paying.void()
    with contextlib.suppress(Refused):
        await paying.gateway.real.confirm(paying.row(attempt)["gateway_payment_id"], key="late")
    assert all(item["authorized"] == item["voided"] for item in await paying.ledger())
