"""The gateway's state machine under random orders of calls: the books balance after each, and nothing is revived."""

from hypothesis import example, given
from hypothesis import strategies as st

from checkout.payments.port import GatewayStatus as Status
from checkout.payments.simulated import outbox, rules
from checkout.payments.simulated.messages import ledger_json
from checkout.payments.simulated.rules import Outage, Record, Refusal
from checkout.payments.simulated.tokens import CARDS

AMOUNT = 1000
Call = tuple[str, int | None]
SHOP = ["confirm", "cancel"]
BUYER = ["approve", "deny", "receive_funds"]
CALLS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*SHOP, *BUYER]), st.none()),
        st.tuples(st.sampled_from(["capture", "refund", "receive_funds", "return_unowed"]), st.integers(1, AMOUNT + 1)),
    ),
    max_size=12,
)
PAYMENTS = st.one_of(
    st.tuples(st.just("card"), st.sampled_from([*CARDS, "tok_unknown"])),
    st.tuples(st.sampled_from(["paypal", "bank_transfer"]), st.none()),
)
FINAL = {Status.VOIDED, Status.CAPTURED, Status.REFUNDED}


def new(method: str = "card", token: str | None = "tok_visa", amount: int = AMOUNT) -> Record:  # noqa: S107
    return Record(
        payment_id="gw_1",
        checkout_id="chk_1",
        attempt_id="pay_1",
        method=method,
        token=token,
        currency="EUR",
        amount=amount,
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


@given(payment=PAYMENTS, calls=CALLS)
@example(payment=("bank_transfer", None), calls=[("confirm", None), ("receive_funds", 400), ("cancel", None)])
@example(payment=("bank_transfer", None), calls=[("cancel", None), ("receive_funds", None), ("return_unowed", 1000)])
def test_the_books_balance_after_every_call(payment: tuple[str, str | None], calls: list[Call]) -> None:
    record = new(*payment)
    sent = 0
    for name, amount in calls:
        before, record = record, call(record, name, amount)
        if name == "receive_funds":
            sent += record.authorized + record.unowed - before.authorized - before.unowed
        assert 0 <= record.refunded <= record.captured
        assert 0 <= record.returned <= record.unowed
        assert record.captured + record.voided <= record.authorized <= record.amount
        assert record.captured >= before.captured
        assert record.refunded >= before.refunded
        assert before.captured in {0, record.captured}, "captured at most once"
        if record.status in FINAL:
            assert record.authorized == record.captured + record.voided
        if before.status in {Status.VOIDED, Status.REFUNDED}:
            changed = {name for name in Record.__slots__ if getattr(record, name) != getattr(before, name)}
            assert changed <= {"unowed", "returned"}, "final is final, but for what a bank sends and gets back"
        if record.status in {Status.CREATED, Status.DECLINED, Status.REQUIRES_ACTION}:
            assert record.authorized == 0
        if record.status is Status.PENDING:
            assert record.missing > 0
    if record.method == "bank_transfer":
        assert record.authorized + record.unowed == sent, "all that came is in the books"
    else:
        assert sent == record.unowed == 0


@given(payment=PAYMENTS, calls=CALLS)
def test_the_ledger_balances_at_rest_and_knows_all_that_the_shop_has(
    payment: tuple[str, str | None], calls: list[Call]
) -> None:
    record = new(*payment)
    for name, amount in calls:
        record = call(record, name, amount)
    item = ledger_json(record)
    assert item["captured"] + item["voided"] <= item["authorized"]
    if record.status in FINAL:
        assert item["authorized"] == item["captured"] + item["voided"]
    has = record.captured - record.refunded + record.unowed - record.returned
    assert item["captured"] - item["refunded"] == has


@given(payment=PAYMENTS, calls=CALLS)
def test_a_transition_repeated_changes_nothing_more(payment: tuple[str, str | None], calls: list[Call]) -> None:
    """A refund under a new key is a new one, a transfer another; the others lead to a state and stay there."""
    record = new(*payment)
    for name, amount in calls:
        record = call(record, name, amount)
        if name in {"capture", "cancel", "approve", "deny"}:
            assert call(record, name, amount) == record


@given(payment=PAYMENTS, calls=CALLS)
def test_what_changes_has_an_event_of_its_kind(payment: tuple[str, str | None], calls: list[Call]) -> None:
    record = new(*payment)
    for name, amount in calls:
        before, record = record, call(record, name, amount)
        if record == before:
            continue
        kind = outbox.event_type(before, record)
        if record.status is not before.status:
            assert kind == f"payment.{record.status}"
        elif name == "receive_funds":
            assert kind == "payment.funds_received"
        elif name == "return_unowed":
            assert kind == "payment.funds_returned"


def test_the_smallest_amount_is_authorized_by_a_card_that_covers_half() -> None:
    assert call(new(token="tok_partialAuthorization", amount=1), "confirm", None).authorized == 1
