"""Every code that the rules may give has its status and title."""

from checkout.api.codes import KINDS
from checkout.api.models.carts import COUPON_PROBLEMS
from checkout.domain.pricing import PROBLEM_CODES


def test_every_problem_of_pricing_is_documented() -> None:
    assert set(KINDS) >= PROBLEM_CODES
    assert set(COUPON_PROBLEMS) == {code for code in PROBLEM_CODES if code.startswith("coupon_")}
