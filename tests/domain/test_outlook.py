"""For each state a sentence of what is waited for, until when, and what ops can do: true, and complete."""

from datetime import timedelta

import pytest

from checkout.domain.outlook import outlook
from checkout.domain.words import CANCELLABLE, PaymentStatus, State
from tests.domain.test_progress import NOON, progress

RELEASE = "`checkout release chk_c_1 --reason …` gives everything back."
RETRY = "`checkout retry chk_c_1`"


@pytest.mark.parametrize("state", list(State))
def test_ops_are_offered_a_release_where_it_would_be_taken(state: State) -> None:
    ops = outlook(progress(state)).ops
    assert (ops is None) == state.closed
    assert (RELEASE in str(ops)) == (state in CANCELLABLE)


def test_a_transfer_that_is_awaited_can_be_released_by_ops() -> None:
    waiting = progress(State.AWAITING_FUNDS)
    waiting.waits_for = PaymentStatus.PENDING
    assert outlook(waiting).ops == RELEASE
    assert outlook(waiting).waits == (
        "It waits for the bank transfer, until 2026-01-31T12:15:00Z: then its order is cancelled."
    )


@pytest.mark.parametrize("state", [State.RESERVING, State.CAPTURING, State.COMMITTING])
def test_what_fails_can_be_mended_and_tried_at_once(state: State) -> None:
    failing = progress(state)
    assert RETRY not in str(outlook(failing).ops)
    failing.trouble = "database_error: the row of stock (sku MUG, warehouse FRA) is locked"
    ops = str(outlook(failing).ops)
    assert ops.startswith("Mend what the last failure of the pending activity names")
    assert RETRY in ops


def test_a_call_of_the_gateway_says_until_when_it_is_tried() -> None:
    capturing = progress(State.CAPTURING)
    capturing.tried_until = NOON + timedelta(hours=1)
    assert outlook(capturing).waits == (
        "It has the gateway capture the total, tried until 2026-01-31T13:00:00Z: then everything is given back."
    )
    capturing.enter(State.COMMITTING, NOON)
    assert capturing.tried_until is None


def test_giving_back_names_what_runs_and_what_the_gateway_refuses() -> None:
    undone = progress(State.COMPENSATING)
    undone.running = ["release_stock", "void_payment"]
    assert outlook(undone).waits == (
        "It gives everything back, to be failed: `release_stock` and `void_payment`, tried until that succeeds."
    )
    assert RETRY in str(outlook(undone).ops)
    assert "resolve" not in str(outlook(undone).ops)
    undone.trouble = "void_payment: gateway_refused: it says no"
    ops = str(outlook(undone).ops)
    assert ops.startswith("The gateway refuses void_payment, and is asked again every few minutes.")
    assert "`checkout resolve chk_c_1 --compensation void_payment --reason … --done …`" in ops


@pytest.mark.parametrize("state", [one for one in State if not one.closed])
def test_every_wait_has_an_end_that_is_told(state: State) -> None:
    """Or goes on until it succeeds, which is told as well."""
    open_ended = progress(state)
    open_ended.tried_until = NOON
    assert "until" in outlook(open_ended).waits
