"""A source of tax rates of the shop's own: found by a setting, asked wherever prices are made, and never our error."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from checkout.domain.errors import DefiniteFailure
from checkout.domain.tax import Destination
from checkout.runtime.database import Sessions
from checkout.runtime.settings import SettingsError, load_settings
from checkout.store import carts
from checkout.store.catalogue import get_product
from checkout.store.own_taxes import the_table
from checkout.store.owner import Owner
from checkout.store.pricing import PriceRules
from tests.activities.checking_out import refusal, reserved
from tests.support.own_code import Own
from tests.support.shop import Shop

DOCS = Path(__file__).parents[2] / "docs" / "pricing.md"
OWN = """
from decimal import Decimal
from checkout.domain.tax import AppliedRate

class Double:
    def __init__(self, table):
        self.table = table
    def rate(self, destination, tax_class):
        return AppliedRate(2 * self.table.rate(destination, tax_class).percent, destination.country)

class Broken(Double):
    def rate(self, destination, tax_class):
        raise ConnectionError("the tax office does not answer")

class Nonsense(Double):
    def rate(self, destination, tax_class):
        return 19

word = "Double"
"""


def rules(place: str | None, **settings: object) -> PriceRules:
    """The rules of a shop with this source of rates."""
    return PriceRules.of(load_settings(tax_provider=place, **settings))


@pytest.fixture
async def shop(sessions: Sessions) -> Shop:
    shop = await Shop(sessions).open()
    await shop.product("MUG", {"EUR": 1380})
    return shop


async def test_carts_the_price_lock_and_products_ask_it(sessions: Sessions, shop: Shop, own: Own) -> None:
    theirs = rules(f"{own(OWN)}:Double")
    basket = await shop.cart({"MUG": 2})
    async with sessions() as session:
        seen = await carts.view_cart(session, Owner(basket.session_id), basket.cart_id, theirs)
    assert seen.pricing.tax_total == round((2760 + 490) * 0.38)
    checking = await reserved(shop, {"MUG": 2})
    checking.rules = theirs
    assert (await checking.lock()).total == seen.pricing.total
    # Prices that contain 38 % are net 1000.
    async with sessions() as session:
        gross = rules(f"{own(OWN)}:Double", prices_include_tax=True, home_country="DE")
        assert (await get_product(session, "MUG", "EUR", gross)).unit_price == 1000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Broken", "tax_provider: ConnectionError: the tax office does not answer"),
        ("Nonsense", "tax_provider: must answer an AppliedRate"),
    ],
)
async def test_what_it_does_wrong_is_the_shops_fault(
    sessions: Sessions, shop: Shop, own: Own, name: str, said: str
) -> None:
    theirs = rules(f"{own(OWN)}:{name}", prices_include_tax=True, home_country="DE")
    checking = await reserved(shop, {"MUG": 2})
    checking.rules = theirs
    refused = await refusal(checking.lock())
    assert (refused.type, refused.category.name) == ("pricing_impossible", "UNSPECIFIED")
    assert said in refused.message
    async with sessions() as session:
        with pytest.raises(DefiniteFailure, match=re.escape(said)):
            await carts.view_cart(session, Owner(checking.basket.session_id), checking.basket.cart_id, theirs)
    async with sessions() as session:
        with pytest.raises(DefiniteFailure, match=re.escape(said)):
            await get_product(session, "MUG", "EUR", theirs)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("shop_of_nobody:Taxes", "CHECKOUT_TAX_PROVIDER names shop_of_nobody, which cannot be imported"),
        ("{module}:Nothing", "CHECKOUT_TAX_PROVIDER names Nothing, which is nothing in"),
        ("{module}:word", "CHECKOUT_TAX_PROVIDER names word, which is nothing in"),
        ("{module}", "CHECKOUT_TAX_PROVIDER"),
        ("no module:Taxes", "CHECKOUT_TAX_PROVIDER"),
    ],
)
def test_what_is_no_source_is_said_before_anything_starts(own: Own, place: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        rules(place.format(module=own(OWN)))


def test_without_one_it_is_the_table(own: Own) -> None:
    assert rules(None).tax_provider is the_table
    documented = DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    taxes = rules(f"{own(documented)}:Groceries").taxes(
        [{"country": "US", "region": "NY", "tax_class": "standard", "percent": "4", "name": "NY"}]
    )
    percents = [
        taxes.rate(Destination("US", region), tax_class).percent
        for region, tax_class in (("New York", "reduced"), ("NY", "standard"), ("CA", "reduced"))
    ]
    assert percents == [Decimal(0), Decimal(4), Decimal(0)]
