"""In a big shop every statement of a purchase finds its rows by an index, and so costs what it does in a small one."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.domain.webhooks import DeliveryStatus
from checkout.runtime.database import Sessions
from checkout.store import carts, counts, idempotency, inconsistent, listener_troubles, rate_limits, webhooks
from checkout.store.catalogue import get_product
from checkout.store.checkouts import read_checkout, read_running_checkout
from checkout.store.inspecting import inspect_checkout
from checkout.store.orders import list_orders, read_order
from checkout.store.owner import Owner
from checkout.store.pricing import EURO_PRICES
from checkout.store.webhook_endpoints import list_deliveries
from tests.activities.checking_out import CheckingOut, refusal
from tests.support.shop import ADDRESS, Shop
from tests.support.statements import sent

BIG_SHOP = Path(__file__).with_name("big_shop.sql")
#: Read whole by intention: small, and every row of them is asked for (those of the right country or time).
WHOLE = {"warehouses", "promotions", "shipping_options", "webhook_endpoints"}


async def test_no_statement_reads_a_whole_table(
    engine: AsyncEngine, sessions: Sessions, shop: Shop, database_url: str
) -> None:
    await shop.product("MUG", 2500)
    await shop.coupon("TEN", limit_total=10, limit_per_customer=10)
    await shop.execute(
        "INSERT INTO promotions (code, name, kind, basis_points, limit_total, limit_per_customer) "
        "VALUES ('P', 'P', 'order_percentage', 1, 10, 10)"
    )
    owner = Owner("ses_ada", "customer_a")
    with sent() as statements:
        async with sessions() as session, session.begin():
            await get_product(session, "MUG", "EUR", EURO_PRICES)
            cart = await carts.create_cart(session, owner, "EUR")
            await carts.set_line(session, owner, cart, "MUG", 3)
            await carts.delete_line(session, owner, cart, "NONE")
            await carts.set_addresses(session, owner, cart, ADDRESS, ADDRESS, "ada@example.com")
            await carts.set_coupon(session, owner, cart, "TEN", EURO_PRICES)
            await carts.set_shipping_option(session, owner, cart, "standard", EURO_PRICES)
        undone, done = [CheckingOut(shop, await shop.cart({"MUG": 1}, coupon_code="TEN")) for _ in range(2)]
        await undone.validate()
        await undone.reserve()
        await refusal(undone.lock(expected_total=1))
        await undone.lock()
        await undone.undo()
        await done.complete()
        reference = (await done.row())["order_reference"]
        async with sessions() as session:
            await read_checkout(session, done.id)
            await read_running_checkout(session, done.basket.cart_id)
            await read_order(session, Owner(done.basket.session_id), reference)
            await inconsistent.contradictions(session, done.id)
            await inconsistent.others_of_cart(session, done.id)
            await inconsistent.latest_of_cart(session, done.basket.cart_id)
            await inconsistent.checkout_of_order(session, reference)
            await list_orders(session, Owner(done.basket.session_id, "customer_a"), limit=50)
            await inspect_checkout(session, done.id)
        await keyed_request(sessions)
        async with sessions() as session, session.begin():
            await rate_limits.acquire(session, "k", limit=5, window=60)
            await rate_limits.read_window(session, "k", 60)
            await rate_limits.forget_old(session)
            await counts.add(session, {counts.Counted.LIMITED: 1})
            await counts.read(session, 24)
            await counts.forget_old(session)
            await webhooks.forget_old(session, timedelta(days=30))
            await listener_troubles.end(session, "d")
            for status in (DeliveryStatus.PENDING, DeliveryStatus.FAILED):
                await list_deliveries(session, endpoint_id=None, status=status, after=None, limit=50)
            await list_deliveries(session, endpoint_id="w7", status=None, after=None, limit=50)

    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(BIG_SHOP.read_bytes())
    whole: dict[str, str] = {}
    async with engine.connect() as connection:
        for statement, parameters in {text: given for text, given in statements if _explainable(text)}.items():
            [plan] = (await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)).scalar_one()
            whole |= dict.fromkeys(_read_whole(plan["Plan"]) - WHOLE, statement)
    assert whole == {}


async def keyed_request(sessions: Sessions) -> None:
    key = idempotency.Key("session ses_ada", "k", "f")
    for end in (idempotency.let_go, idempotency.forget):
        async with sessions() as session, session.begin():
            await idempotency.claim(session, key, holder="h", lease=30)
            await end(session, key, "h")
    for _ in range(2):
        async with sessions() as session, session.begin():
            await idempotency.claim(session, key, holder="h", lease=30)
            await idempotency.keep(session, key, "h", idempotency.Stored(200, {}, "{}"))


def _read_whole(node: dict[str, Any]) -> set[str]:
    """The tables that a plan reads from one end to the other, be it along an index."""
    found = set[str]().union(*(_read_whole(child) for child in node.get("Plans", ())))
    if node["Node Type"] == "Seq Scan" or ("Index" in node["Node Type"] and "Index Cond" not in node):
        found.add(node.get("Relation Name") or node["Index Name"])
    return found


def _explainable(statement: str) -> bool:
    return statement.lstrip().split(None, 1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}
