"""Stock that is received, counted and imported while checkouts hold, take and give back units of it."""

import asyncio
import contextlib
import random
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from checkout.runtime.database import Sessions, create_sessions, engine_for, in_transaction
from checkout.store.importing.products import import_products
from checkout.store.importing.stock import import_stock
from checkout.store.ledger import How, StockChange, change_stock
from checkout.store.verification import Difference, verify_stock
from tests.activities.checking_out import CheckingOut
from tests.store.importing.files import write_products, write_stock
from tests.support.at_once import database_errors
from tests.support.invariants import check_invariants
from tests.support.shop import Shop

SKUS = ("CUP", "TEA", "POT")


async def check_out(checking: CheckingOut, completes: bool) -> None:
    """A checkout to its end, or given up with its units held; refused where stock is short."""
    with contextlib.suppress(ApplicationError):
        await checking.until_priced()
        if completes:
            await checking.authorized()
            await checking.create()
            await checking.captured()
            await checking.commit()
            return
    await checking.undo()
    await checking.gave_back()


async def change_at_random(shop: Shop, sessions: Sessions, chance: random.Random) -> None:
    """Receive and count units of all SKUs in both warehouses, in a random order."""
    rows = [(v, w) for v in shop.variants.values() for w in shop.warehouses.values()]
    for _ in range(12):
        chance.shuffle(rows)
        changes = [
            StockChange(v, w, chance.randint(1, 12), chance.choice((How.RECEIVE, How.SET, How.IMPORT))) for v, w in rows
        ]
        await in_transaction(sessions, lambda session, c=changes: change_stock(session, c, reason="test"))  # type: ignore[misc]


async def import_at_random(sessions: Sessions, directory: Path, chance: random.Random) -> None:
    """Import stock and products with other figures each time."""
    for number in range(4):
        rows = [(sku, code, str(chance.randint(0, 12))) for sku in SKUS for code in ("LYS", "FRA")]
        await import_stock(sessions, write_stock(directory / f"{number}.csv", *rows))
        products = write_products(
            directory / f"p{number}.csv",
            *(
                {"Handle": s.lower(), "Variant SKU": s, "Variant Inventory Qty": str(chance.randint(0, 12))}
                for s in reversed(SKUS)
            ),
        )
        await import_products(sessions, products, currency="EUR", warehouse="LYS", strict=False)


@pytest.mark.parametrize("seed", [1, 2])
async def test_stock_changes_while_checkouts_run_break_nothing(
    shop: Shop, engine: AsyncEngine, database_url: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    for sku in SKUS:
        await shop.product(sku, stock={"FRA": 5, "LYS": 5})
    wide = engine_for(database_url, pool_size=30)
    sessions = create_sessions(wide)
    rivals = []
    for number in range(24):
        wanted = chance.sample(SKUS, 2)
        rival = CheckingOut(shop, await shop.cart({sku: chance.randint(1, 3) for sku in wanted}))
        rival.sessions = sessions
        rivals.append((rival, number % 3 > 0))
    seen: list[tuple[Difference, ...]] = []

    async def watch() -> None:
        while any(not task.done() for task in tasks):
            seen.append((await verify_stock(sessions)).differences)
            await asyncio.sleep(0)

    with database_errors(wide) as errors:
        tasks = [
            *(asyncio.create_task(check_out(rival, completes)) for rival, completes in rivals),
            asyncio.create_task(change_at_random(shop, sessions, chance)),
            asyncio.create_task(import_at_random(sessions, tmp_path, chance)),
        ]
        await asyncio.gather(*tasks, watch())
    await wide.dispose()
    assert errors == []
    assert set(seen) == {()}
    await check_invariants(engine)
    completed = await shop.execute("SELECT count(*) FROM orders WHERE status = 'paid'")
    sold = await shop.execute("SELECT coalesce(sum(quantity), 0) FROM order_lines")
    left = await shop.execute("SELECT -sum(on_hand_delta) FROM stock_movements WHERE kind = 'committed'")
    assert completed > 0
    assert sold == left
