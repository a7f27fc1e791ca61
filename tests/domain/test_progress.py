"""What may be asked of a checkout in each state, and how its deadline moves: the pure rules."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.errors import Failure
from checkout.domain.messages import (
    Authorization,
    CheckoutInput,
    ExtendRequest,
    Limits,
    PayRequest,
    PricesLocked,
    StartRequest,
)
from checkout.domain.progress import Progress, Refusal
from checkout.domain.words import CANCELLABLE, CLOSED, Outcome, Phase, State

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)


def progress(state: State = State.PENDING, **limits: int) -> Progress:
    """A checkout that stands at ``state``."""
    made = Progress(CheckoutInput("chk_c_1", "cart_c", "ses_1", limits=Limits(**limits)), NOON)
    made.priced(PricesLocked(3, "EUR", 5938))
    if state in CLOSED:
        made.closed(Outcome(state.value), NOON)
    elif state is State.COMPENSATING:
        made.ending(Outcome.FAILED, Failure("no_stock", Phase.INVENTORY_RESERVATION, "none left"), NOON)
    else:
        made.enter(state, NOON)
    return made


def code(refusal: Refusal | None) -> str | None:
    """The refusal's code."""
    return refusal.code if refusal else None


@pytest.mark.parametrize("state", list(State))
def test_a_start_of_its_session_meets_every_checkout_that_is_not_being_undone(state: State) -> None:
    expected = "checkout_closing" if state in CLOSED or state is State.COMPENSATING else None
    assert code(progress(state).refuses_start(StartRequest("ses_1", "chk_c_2"))) == expected
    assert code(progress(state).refuses_start(StartRequest("ses_2", "chk_c_2"))) == "checkout_in_progress"


@pytest.mark.parametrize("state", list(State))
def test_a_payment_is_taken_where_one_is_waited_for(state: State) -> None:
    expected = {
        State.AWAITING_PAYMENT: None,
        State.REQUIRES_ACTION: None,
        State.AUTHORIZING: "payment_in_progress",
        State.EXPIRED: "checkout_expired",
    }.get(state, "not_payable")
    assert code(progress(state).refuses_pay(PayRequest("pay_1"), LATER)) == expected


def test_a_payment_in_flight_admits_no_other() -> None:
    waiting = progress(State.AWAITING_PAYMENT)
    waiting.payment = PayRequest("pay_1")
    assert code(waiting.refuses_pay(PayRequest("pay_2"), LATER)) == "payment_in_progress"
    assert code(waiting.refuses_extend(LATER)) == "not_extendable"
    assert not waiting.at_rest


def test_the_deadline_itself_is_too_late() -> None:
    waiting = progress(State.AWAITING_PAYMENT, ttl=60)
    assert code(waiting.refuses_pay(PayRequest("pay_1"), NOON + timedelta(seconds=59.999))) is None
    assert code(waiting.refuses_pay(PayRequest("pay_1"), NOON + timedelta(seconds=60))) == "checkout_expired"
    assert code(waiting.refuses_extend(NOON + timedelta(seconds=60))) == "checkout_expired"


@pytest.mark.parametrize("state", list(State))
def test_the_deadline_moves_only_while_the_buyer_is_waited_for(state: State) -> None:
    allowed = {State.AWAITING_PAYMENT: None, State.REQUIRES_ACTION: None, State.EXPIRED: "checkout_expired"}
    assert code(progress(state).refuses_extend(LATER)) == allowed.get(state, "not_extendable")


@pytest.mark.parametrize("state", list(State))
def test_cancel_until_the_order_is_made_and_once_it_is_undone_anyway(state: State) -> None:
    free = CANCELLABLE | {State.COMPENSATING, State.FAILED, State.EXPIRED, State.CANCELLED}
    assert code(progress(state).refuses_cancel()) == (None if state in free else "too_late")


def test_another_total_is_refused() -> None:
    waiting = progress(State.AWAITING_PAYMENT)
    assert code(waiting.refuses_pay(PayRequest("pay_1", 5937), LATER)) == "total_mismatch"
    assert waiting.refuses_pay(PayRequest("pay_1", 5938), LATER) is None


@given(
    ttl=st.integers(10, 3600),
    max_ttl=st.integers(10, 3600),
    asked=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 10_000)), max_size=8),
)
def test_a_deadline_only_ever_moves_later_and_never_beyond_the_longest_life(
    ttl: int, max_ttl: int, asked: list[tuple[int, int]]
) -> None:
    checkout = progress(State.AWAITING_PAYMENT, ttl=ttl, max_ttl=max_ttl)
    longest = NOON + timedelta(seconds=max_ttl)
    assert checkout.deadline <= longest
    for seconds, more in asked:
        before, now = checkout.deadline, NOON + timedelta(seconds=seconds)
        checkout.deadline = checkout.extension(ExtendRequest(more), now)
        assert before <= checkout.deadline <= longest
        assert checkout.deadline in {before, longest, now + timedelta(seconds=more)}


def test_a_version_never_goes_back() -> None:
    checkout = progress()
    checkout.saw(PricesLocked(7, "EUR", 1))
    checkout.saw(PricesLocked(5, "EUR", 1))
    assert checkout.view().version == 7


def test_a_start_is_answered_once() -> None:
    checkout = progress(State.LOCKING_PRICES)
    assert checkout.opening
    checkout.enter(State.AWAITING_PAYMENT, NOON)
    checkout.enter(State.AUTHORIZING, NOON)
    assert not checkout.opening


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("void_payment: gateway_unavailable: 503 node 7", "the payment gateway does not answer: it is tried again"),
        ("gateway_refused: pay_1: ask node 7", "the payment gateway refuses: it is tried again"),
        ("database_error: SQLSTATE 57P01", "the database does not answer: it is tried again"),
        ("ConnectionError: node 7: database_error: x", "something failed: it is tried again"),
        ("no answer", "something failed: it is tried again"),
    ],
)
def test_what_is_waited_for(trouble: str, told: str) -> None:
    waiting = progress(State.AWAITING_PAYMENT).waiting_for()
    assert waiting is not None
    assert (waiting.what, waiting.since) == ("payment", "2026-01-31T12:00:00Z")
    undoing = progress(State.COMPENSATING)
    undoing.running = ["void_payment", "release_stock"]
    undoing.trouble = trouble
    found = undoing.waiting_for()
    assert found is not None
    assert (found.what, found.last_error) == ("void_payment, release_stock", told)
    assert progress(State.COMPLETED).waiting_for() is None


def test_a_failed_checkout_shows_the_phase_that_failed() -> None:
    assert progress(State.COMPENSATING).phase is Phase.INVENTORY_RESERVATION
    assert progress(State.CAPTURING).phase is Phase.PAYMENT_CAPTURE
    assert progress(State.COMPLETED).phase is None


def test_a_decline_uses_up_an_attempt_and_says_why() -> None:
    checkout = progress(State.AUTHORIZING)
    declined = Failure("card_declined", Phase.PAYMENT_AUTHORIZATION, "the card was declined")
    checkout.attempted(Authorization(8, False, 2, declined))
    view = checkout.view()
    assert (view.attempts_left, view.last_error, view.failure) == (2, declined, None)
