"""Idempotency keys: what must be the same for every repeat, and what must never meet."""

from checkout.domain.ids import new_attempt_id, new_cart_id, new_checkout_id
from checkout.payments.keys import AttemptKeys


def all_keys(keys: AttemptKeys) -> list[str]:
    refunds = [keys.refund(refunded=0, until=10), keys.refund(refunded=5, until=10), keys.refund(refunded=0, until=5)]
    return [keys.create(), keys.confirm(), keys.capture(), keys.cancel(), *refunds]


def test_every_run_of_an_activity_derives_the_same_keys() -> None:
    assert all_keys(AttemptKeys("chk_1", "pay_1")) == all_keys(AttemptKeys("chk_1", "pay_1"))


def test_no_two_operations_attempts_or_checkouts_share_a_key() -> None:
    keys = [
        key
        for checkout in ("chk_1", "chk_2")
        for attempt in ("pay_1", "pay_2")
        for key in all_keys(AttemptKeys(checkout, attempt))
    ]
    assert len(set(keys)) == len(keys) == 28


def test_a_key_fits_where_gateways_take_them() -> None:
    keys = AttemptKeys(new_checkout_id(new_cart_id()), new_attempt_id())
    longest = keys.refund(refunded=10**15, until=10**15)
    assert len(longest) <= 255
    assert longest.isascii()
