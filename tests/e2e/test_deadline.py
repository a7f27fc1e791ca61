"""A checkout that is left alone ends by itself, can be given more time, and can be called off."""

from collections.abc import Callable

import pytest

from tests.e2e.stack import Stack
from tests.e2e.storefront import Buyer
from tests.e2e.test_payment import given_back

pytestmark = pytest.mark.xdist_group("sale")
Buyers = Callable[[], Buyer]


async def test_expiry_and_extension(stack: Stack, buyer: Buyers, sku: str) -> None:
    """Two checkouts of ten seconds: the one that is left alone expires, the one that got more time sells after it."""
    alone, patient = await buyer().fill({sku: 2}), await buyer().fill({sku: 1})
    extended_from = await patient.started(ttl_seconds=10)
    extended = await patient.expect(200, "POST", f"{patient.path}/extend", {"ttl_seconds": 600})
    assert extended["expires_at"] > extended_from["expires_at"]
    await alone.started(ttl_seconds=10)

    done = await alone.until_closed()
    assert done["state"] == "expired"
    assert not (await alone.cart())["locked"]
    late = await alone.pay()
    assert (late.status_code, late.json()["code"]) == (410, "checkout_expired")
    late = await alone.call("POST", f"{alone.path}/extend", {"ttl_seconds": 60})
    assert late.status_code == 410

    assert (await patient.checkout())["state"] == "awaiting_payment"
    await patient.pay()
    assert (await patient.until_closed())["state"] == "completed"
    # An expired hold is not revived: a new start reserves anew.
    await alone.started()
    await alone.expect(200, "POST", f"{alone.path}/cancel")


async def test_cancel(stack: Stack, buyer: Buyers, sku: str) -> None:
    ada = await buyer().fill({sku: 5})
    await ada.started()
    cancelled = await ada.expect(200, "POST", f"{ada.path}/cancel")
    assert cancelled["state"] == "cancelled"
    await given_back(stack, ada, sku)
    again = await ada.expect(200, "POST", f"{ada.path}/cancel")
    assert again["state"] == "cancelled"
    # The cart may be changed and bought after all.
    await ada.expect(200, "PUT", f"/carts/{ada.cart_id}/lines/{sku}", {"quantity": 1})
    await ada.started()
    await ada.pay()
    assert (await ada.until_closed())["state"] == "completed"
    too_late = await ada.call("POST", f"{ada.path}/cancel")
    assert (too_late.status_code, too_late.json()["code"]) == (409, "too_late")
