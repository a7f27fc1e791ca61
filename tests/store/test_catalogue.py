"""What is for sale, in which currency, and how much of it."""

import pytest

from checkout.domain.tax import Destination
from checkout.runtime.database import Sessions
from checkout.store.catalogue import get_product, list_products
from checkout.store.errors import SkuNotFound
from checkout.store.pricing import PriceRules
from tests.support.shop import Shop
from tests.support.statements import sent

RULES = PriceRules()


async def test_products_have_their_price_and_what_is_available(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", {"EUR": 2500, "USD": 2900}, {"FRA": 5, "LYS": 7}, title="Mug", variant_title="Blue")
    await shop.product("BOOK", {"EUR": 1000}, 0, title="Book")
    await shop.product("GONE", 1)
    await shop.execute("UPDATE products SET active = false WHERE handle = 'gone'")
    await shop.execute("UPDATE stock SET reserved = 2 WHERE on_hand = 5")
    async with sessions() as session:
        with sent() as statements:
            found = await list_products(session, "EUR", RULES)
        assert len(statements) == 2
        assert [(p.sku, p.name, p.unit_price, p.available) for p in found] == [
            ("BOOK", "Book", 1000, 0),
            ("MUG", "Mug – Blue", 2500, 10),
        ]
        assert [p.sku for p in await list_products(session, "EUR", RULES, limit=1)] == ["BOOK"]
        assert [(p.sku, p.unit_price) for p in await list_products(session, "USD", RULES)] == [("MUG", 2900)]
        assert (await get_product(session, "MUG", "EUR", RULES)).available == 10
        for sku, currency in (("GONE", "EUR"), ("NONE", "EUR"), ("BOOK", "USD")):
            with pytest.raises(SkuNotFound):
                await get_product(session, sku, currency, RULES)


async def test_prices_are_net_and_converted(sessions: Sessions, shop: Shop) -> None:
    await shop.product("MUG", {"EUR": 1190})
    await shop.execute(
        "INSERT INTO exchange_rates (base, currency, date, rate) VALUES ('EUR', 'JPY', '2020-01-01', 160)"
    )
    rules = PriceRules("EUR", prices_include_tax=True, home=Destination("DE"))
    async with sessions() as session:
        assert (await get_product(session, "MUG", "EUR", rules)).unit_price == 1000
        # 11.90 EUR are 1904 JPY with 19 % in it
        assert (await get_product(session, "MUG", "JPY", rules)).unit_price == 1600
