"""What breaks in an activity says what kind it is and where it was raised; what it says itself goes into no history."""

import pytest
from structlog.testing import capture_logs
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from checkout.activities.stock_commit import StockCommit
from checkout.store import orders
from tests.activities.checking_out import CheckingOut
from tests.support.shop import Shop

EMAIL = "ada@example.com"


async def test_a_broken_activity_tells_its_place_and_no_values(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.product("MUG")
    checkout = CheckingOut(shop, await shop.cart({"MUG": 1}))
    await checkout.until_priced()
    await checkout.authorized()
    await checkout.create()
    await checkout.captured()

    async def broken(*_: object) -> int:
        raise KeyError(EMAIL)

    monkeypatch.setattr(orders, "pay_order", broken)
    with capture_logs() as logs, pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(StockCommit(shop.sessions).commit, checkout.phase())
    error = caught.value
    assert (error.type, error.non_retryable) == ("KeyError", False)
    assert error.message.startswith("raised by checkout.activities.stock_commit._commit, line ")
    assert EMAIL not in error.message
    assert error.__cause__ is None
    assert error.__suppress_context__, "the failure that Temporal keeps has no cause"
    assert [(one["event"], one["activity"], one["kind"]) for one in logs] == [
        ("activity_broke", "stock_commit", "KeyError")
    ]
