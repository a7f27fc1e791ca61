"""The demo shop: what it promises to those who try it, and that seeding it again changes nothing."""

import asyncio

import pytest

from checkout.runtime.database import Sessions
from checkout.store import demo
from checkout.store.demo import seed_demo
from checkout.store.verification import verify_stock
from tests.store.shelves import Shelves


async def test_the_demo_shop_has_what_it_promises(sessions: Sessions) -> None:
    assert await seed_demo(sessions)
    shop = Shelves(sessions)
    assert await shop.rows("SELECT code, priority, countries FROM warehouses ORDER BY priority") == [
        ("main", 1, []),
        ("north", 2, []),
    ]
    products = await shop.rows("SELECT handle, image_url, description FROM products WHERE active")
    assert 20 <= len(products) <= 30
    assert all(image.startswith("data:image/svg+xml,") and text for _, image, text in products)
    units = await shop.rows("SELECT variant_id FROM stock GROUP BY 1 HAVING sum(on_hand) >= 100")
    assert len(units) >= 10
    assert len(await shop.rows("SELECT FROM stock WHERE warehouse_id <> (SELECT min(id) FROM warehouses)")) >= 10
    assert (
        await shop.rows("SELECT id FROM variants WHERE (SELECT count(*) FROM prices WHERE variant_id = id) <> 2") == []
    )
    assert await shop.value("SELECT count(*) FROM prices WHERE amount = 0") == 2
    assert await shop.rows("SELECT DISTINCT tax_class FROM variants ORDER BY 1") == [("reduced",), ("standard",)]
    assert await shop.rows(
        "SELECT code, kind, basis_points, limit_total, limit_per_customer FROM coupons ORDER BY 1"
    ) == [
        ("LIMITED10", "percentage", 1000, 10, None),
        ("WELCOME10", "percentage", 1000, None, None),
    ]
    assert await shop.value("SELECT count(*) FROM promotions") == 0
    assert await shop.value("SELECT percent FROM tax_rates WHERE country = 'DE' AND tax_class = 'standard'") == 19
    assert await shop.rows(
        "SELECT code, amount FROM shipping_options WHERE country = 'DE' AND currency = 'EUR' ORDER BY amount"
    ) == [("standard", 490), ("express", 1290), ("express", 2990)]
    assert not (await verify_stock(sessions)).differences


async def test_nothing_of_the_demo_names_another_host(sessions: Sessions) -> None:
    await seed_demo(sessions)
    shop = Shelves(sessions)
    assert (
        await shop.rows("SELECT handle FROM products WHERE image_url || description ~ 'https?://(?!www.w3.org)'") == []
    )


async def test_seeding_again_neither_brings_back_nor_undoes_anything(sessions: Sessions) -> None:
    shop = Shelves(sessions)
    assert sorted(await asyncio.gather(*(seed_demo(sessions) for _ in range(3)))) == [False, False, True]
    await shop.execute("DELETE FROM coupons WHERE code = 'WELCOME10'")
    await shop.execute("UPDATE prices SET amount = 1")
    assert not await seed_demo(sessions)
    assert await shop.rows("SELECT code FROM coupons") == [("LIMITED10",)]
    assert await shop.rows("SELECT DISTINCT amount FROM prices") == [(1,)]


async def test_a_shop_of_ones_own_is_left_alone(sessions: Sessions) -> None:
    shop = Shelves(sessions)
    await shop.build(("berlin",), ())
    assert not await seed_demo(sessions)
    assert await shop.value("SELECT count(*) FROM products") == 0


async def test_a_seed_that_fails_leaves_nothing_by_halves(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(demo, "import_rows", fail)
    with pytest.raises(RuntimeError, match="killed"):
        await seed_demo(sessions)
    monkeypatch.undo()
    assert await Shelves(sessions).value("SELECT count(*) FROM warehouses") == 0
    assert await seed_demo(sessions)
