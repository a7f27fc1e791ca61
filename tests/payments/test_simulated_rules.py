"""The gateway's state machine under random orders of calls: the books balance after each, and nothing is revived."""

from hypothesis import given
from hypothesis import strategies as st

from checkout.payments.port import GatewayStatus as Status
from checkout.payments.simulated import rules
from checkout.payments.simulated.rules import Outage, Record, Refusal
from checkout.payments.simulated.tokens import CARDS

AMOUNT = 1000
CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["confirm", "cancel"]), st.none()),
        st.tuples(st.sampled_from(["capture", "refund"]), st.integers(1, AMOUNT + 1)),
    ),
    max_size=12,
)


def new(token: str = "tok_visa") -> Record:  # noqa: S107
    return Record(
        payment_id="gw_1",
        checkout_id="chk_1",
        attempt_id="pay_1",
        method="card",
        token=token,
        currency="EUR",
        amount=AMOUNT,
    )


def call(record: Record, name: str, amount: int | None) -> Record:
    transition = getattr(rules, name)
    try:
        changed = transition(record) if amount is None else transition(record, amount)
    except Refusal:
        return record
    except Outage as outage:
        return outage.record
    assert isinstance(changed, Record)
    return changed


@given(token=st.sampled_from([*CARDS, "tok_unknown"]), calls=CALLS)
def test_the_books_balance_after_every_call(token: str, calls: list[tuple[str, int | None]]) -> None:
    record = new(token)
    for name, amount in calls:
        before, record = record, call(record, name, amount)
        assert 0 <= record.refunded <= record.captured
        assert record.captured + record.voided <= record.authorized <= record.amount
        assert record.captured >= before.captured
        assert record.refunded >= before.refunded
        assert before.captured in {0, record.captured}, "captured at most once"
        if record.status in {Status.VOIDED, Status.CAPTURED, Status.REFUNDED}:
            assert record.authorized == record.captured + record.voided
        if before.status in {Status.VOIDED, Status.REFUNDED}:
            assert record == before, "final is final"
        if record.status in {Status.CREATED, Status.DECLINED}:
            assert record.authorized == 0


@given(token=st.sampled_from([*CARDS, "tok_unknown"]), calls=CALLS)
def test_a_transition_repeated_changes_nothing_more(token: str, calls: list[tuple[str, int | None]]) -> None:
    """A refund under a new key is a new refund; all others lead to a state and stay there."""
    record = new(token)
    for name, amount in calls:
        record = call(record, name, amount)
        if name in {"capture", "cancel"}:
            assert call(record, name, amount) == record


def test_the_smallest_amount_is_authorized_by_a_card_that_covers_half() -> None:
    record = call(
        Record(
            payment_id="gw_1",
            checkout_id="chk_1",
            attempt_id="pay_1",
            method="card",
            token="tok_partialAuthorization",
            currency="EUR",
            amount=1,
        ),
        "confirm",
        None,
    )
    assert record.authorized == 1
