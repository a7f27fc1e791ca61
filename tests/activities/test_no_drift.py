"""G2 as a property: whatever the shop changes in whatever state, what is paid and ordered is what was locked.

All prices grow in every state, so that a phase that looked at today's would be found out by the first example; what
else a shop may change is random. The gateway is a real one, and is asked what it authorized and captured.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.activities.payment_authorization import PaymentAuthorization
from checkout.activities.payment_capture import PaymentCapture
from checkout.activities.payment_check import PaymentCheck
from checkout.domain.messages import AuthorizationInput, PaymentCheckInput
from checkout.domain.words import PaymentStatus
from checkout.payments.simulated.client import SimulatedGateway
from checkout.runtime.database import create_sessions, engine_for
from tests.activities.checking_out import CheckingOut
from tests.support import databases
from tests.support.gateway import GatewayServer, Interposed, act, once
from tests.support.invariants import check_invariants
from tests.support.shop import Shop
from tests.support.shop_at_random import on_real_servers

#: What a shop may do at any time; ``:n`` is a random figure.
CHANGES = [
    "UPDATE prices SET amount = :n",
    "UPDATE prices SET amount = :n WHERE currency = 'USD'",
    "DELETE FROM prices WHERE :n >= 0",
    "UPDATE tax_rates SET percent = :n % 101",
    "DELETE FROM tax_rates WHERE :n >= 0",
    "UPDATE shipping_options SET amount = :n",
    "UPDATE shipping_options SET active = false WHERE :n >= 0",
    "UPDATE exchange_rates SET rate = :n + 1",
    "DELETE FROM exchange_rates WHERE :n >= 0",
    "UPDATE coupons SET basis_points = 1 + :n % 10000",
    "UPDATE coupons SET active = false WHERE :n >= 0",
    "UPDATE coupons SET ends_at = now() - interval '1 day' WHERE :n >= 0",
    "UPDATE promotions SET basis_points = 1 + :n % 10000",
    "UPDATE promotions SET active = NOT active WHERE :n >= 0",
    "UPDATE products SET title = 'renamed ' || :n, category = 'c' || :n",
    "UPDATE variants SET active = false, tax_class = 'zero', weight_grams = :n",
    "UPDATE warehouses SET active = false, countries = '{JP}', priority = :n",
]
#: In every state, so that no price of what is in the cart is what it was before.
GROWTH = "UPDATE prices SET amount = 3 * amount + 7"
#: Where a checkout stands when something is changed: each phase after the lock is about to begin, or at the gateway.
STATES = (
    *("awaiting_payment", "authorizing", "requires_action", "creating_order", "awaiting_funds", "capturing"),
    *("at_capture", "committing"),
)
#: Token and method of a payment: at once, approved somewhere else, and by the bank.
WAYS: list[tuple[str | None, str]] = [("tok_visa", "card"), ("tok_3ds", "card"), (None, "bank_transfer")]

change = st.tuples(st.sampled_from(STATES), st.sampled_from(CHANGES), st.integers(0, 100_000))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with databases.fresh_database() as uri:
        yield uri


@on_real_servers(examples=25)
@given(st.lists(change, max_size=6), st.sampled_from(["EUR", "USD"]), st.sampled_from(WAYS))
def test_no_change_after_the_lock_changes_the_order(
    url: str,
    gateway_server: GatewayServer,
    changes: list[tuple[str, str, int]],
    currency: str,
    way: tuple[str | None, str],
) -> None:
    asyncio.run(_sell(url, gateway_server, changes, currency, way))


async def _sell(
    url: str,
    server: GatewayServer,
    changes: list[tuple[str, str, int]],
    currency: str,
    way: tuple[str | None, str],
) -> None:
    engine = engine_for(url)
    shop = Shop(create_sessions(engine))
    try:
        await _reset(shop)
        checking = CheckingOut(shop, await shop.cart({"MUG": 2, "BOOK": 1}, currency=currency, coupon_code="TEN"))
        locked = await checking.until_priced()
        told = await _snapshot(shop, checking)

        async def changed(state: str) -> None:
            await shop.execute(GROWTH)
            for at, statement, figure in changes:
                if at == state:
                    await shop.execute(statement, n=figure)

        await _pay_and_order(shop, server, checking, changed, way)
        assert await _order(shop, checking) == told
        assert {(line[0], line[1]) for line in told} == {(currency, locked.total)}
        [entry] = await server.ledger(checking.id)
        assert (entry["currency"], entry["authorized"], entry["captured"]) == (currency, locked.total, locked.total)
        await check_invariants(engine, [entry])
    finally:
        await engine.dispose()


async def _pay_and_order(
    shop: Shop,
    server: GatewayServer,
    checking: CheckingOut,
    changed: Callable[[str], Awaitable[None]],
    way: tuple[str | None, str],
) -> None:
    """The phases after the lock; ``changed(state)`` is called in every state between and in them."""
    async with server.adapter() as adapter:
        gateway = Interposed(adapter)
        gateway.before |= {
            "confirm": once(lambda: changed("authorizing")),
            "capture": once(lambda: changed("at_capture")),
        }
        authorize = PaymentAuthorization(shop.sessions, gateway).authorize
        capture = PaymentCapture(shop.sessions, gateway).capture
        check = PaymentCheck(shop.sessions, gateway)
        await changed("awaiting_payment")
        attempt = await checking.attempt(*way)
        answer = await checking.run(authorize, AuthorizationInput(checking.id, checking.basket.cart_id, attempt))
        looked_at = PaymentCheckInput(checking.id, checking.basket.cart_id, attempt)
        if answer.waits_for is PaymentStatus.REQUIRES_ACTION:
            await changed("requires_action")
            await _act(shop, adapter, attempt, "approve")
            answer = await checking.run(check.approval, looked_at)
        assert answer.authorized or answer.waits_for is PaymentStatus.PENDING
        await changed("creating_order")
        await checking.create()
        if answer.waits_for is PaymentStatus.PENDING:
            await changed("awaiting_funds")
            await _act(shop, adapter, attempt, "funds_received")
            assert (await checking.run(check.funds, looked_at)).arrived
        await changed("capturing")
        await checking.run(capture, checking.phase())
        await changed("committing")
        await checking.commit()


async def _act(shop: Shop, adapter: SimulatedGateway, attempt: str, outcome: str) -> None:
    """What the buyer or his bank does at the gateway."""
    payment = await adapter.fetch(await shop.execute(_PAYMENT, id=attempt))
    async with aiohttp.ClientSession() as session:
        await act(session, payment, outcome)


_PAYMENT = "SELECT gateway_payment_id FROM payment_attempts WHERE id = :id"


async def _order(shop: Shop, checking: CheckingOut) -> list[tuple[object, ...]]:
    return await shop.rows(
        "SELECT o.currency, o.total, o.sub_total, o.discount_total, o.shipping_total, o.tax_total, l.name, "
        "l.quantity, l.unit_price, l.total FROM orders o JOIN order_lines l ON l.order_reference = o.reference "
        "WHERE o.checkout_id = :id ORDER BY l.position",
        id=checking.id,
    )


async def _snapshot(shop: Shop, checking: CheckingOut) -> list[tuple[object, ...]]:
    return await shop.rows(
        "SELECT s.currency, s.total, s.sub_total, s.discount_total, s.shipping_total, s.tax_total, l.name, "
        "l.quantity, l.unit_price, l.total FROM price_snapshots s JOIN price_snapshot_lines l USING (checkout_id) "
        "WHERE s.checkout_id = :id ORDER BY l.position",
        id=checking.id,
    )


async def _reset(shop: Shop) -> None:
    """The shop as it is before anything changes; what was sold before stays."""
    if not await shop.rows("SELECT FROM products"):
        await shop.open()
        await shop.product("MUG", {"EUR": 2500}, 100_000)
        await shop.product("BOOK", {"EUR": 1000}, 100_000, tax_class="reduced")
        await shop.coupon("TEN", limit_total=100_000)
        await shop.execute(
            "INSERT INTO promotions (code, name, kind, basis_points) VALUES ('P', 'P', 'order_percentage', 500)"
        )
    shop.variants = dict(await shop.rows("SELECT sku, id FROM variants"))
    for statement in (
        "DELETE FROM prices",
        "INSERT INTO prices SELECT id, 'EUR', CASE sku WHEN 'MUG' THEN 2500 ELSE 1000 END FROM variants",
        "INSERT INTO prices SELECT id, 'USD', 2900 FROM variants WHERE sku = 'MUG'",
        "DELETE FROM tax_rates",
        "INSERT INTO tax_rates (country, tax_class, percent) VALUES ('DE', 'standard', 19), ('DE', 'reduced', 7)",
        "UPDATE shipping_options SET active = true, amount = 490",
        "DELETE FROM exchange_rates",
        "INSERT INTO exchange_rates (base, currency, date, rate) VALUES ('EUR', 'USD', '2020-01-02', 1.1)",
        "UPDATE coupons SET active = true, ends_at = NULL, basis_points = 1000",
        "UPDATE promotions SET active = true, basis_points = 500",
        "UPDATE products SET title = handle, category = ''",
        "UPDATE variants SET active = true, weight_grams = 0, tax_class = 'standard'",
        "UPDATE variants SET tax_class = 'reduced' WHERE sku = 'BOOK'",
        "UPDATE warehouses SET active = true, countries = '{}', priority = id",
    ):
        await shop.execute(statement)
