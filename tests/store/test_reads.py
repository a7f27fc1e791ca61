"""Checkouts and orders as they are read: one statement each, whatever state they are in."""

import pytest

from checkout.domain.words import OrderStatus, Outcome, PaymentStatus, Phase, State
from checkout.runtime.database import Sessions
from checkout.store.checkouts import CheckoutRecord, read_checkout, read_running_checkout
from checkout.store.errors import NotFound
from checkout.store.orders import OrderRecord, list_orders, read_order
from checkout.store.owner import Owner
from tests.activities.checking_out import CheckingOut
from tests.support.shop import ADDRESS, Shop
from tests.support.statements import sent


@pytest.fixture
async def checking(shop: Shop) -> CheckingOut:
    await shop.product("MUG", 2500, title="Mug", variant_title="Blue")
    await shop.product("BOOK", 1000, tax_class="reduced")
    return CheckingOut(shop, await shop.cart({"MUG": 2, "BOOK": 1}, customer_id="customer_a"))


async def read(sessions: Sessions, checking: CheckingOut) -> CheckoutRecord:
    async with sessions() as session:
        record = await read_checkout(session, checking.id)
    assert record is not None
    return record


async def test_a_checkout_is_read_in_every_state(checking: CheckingOut, sessions: Sessions) -> None:
    async with sessions() as session:
        assert await read_checkout(session, checking.id) is None
    await checking.validate()
    begun = await read(sessions, checking)
    assert (begun.state, begun.phase, begun.totals, begun.lines) == (
        State.RESERVING,
        Phase.INVENTORY_RESERVATION,
        None,
        (),
    )
    assert (begun.payment_status, begun.order_status, begun.version) == (PaymentStatus.NONE, None, 2)
    await checking.reserve()
    await checking.lock()
    priced = await read(sessions, checking)
    assert priced.totals is not None
    assert (priced.totals.sub_total, priced.totals.total, priced.total) == (6000, 7603, 7603)
    assert [(line.sku, line.name, line.quantity, line.total) for line in priced.lines] == [
        ("MUG", "Mug – Blue", 2, 5950),
        ("BOOK", "BOOK", 1, 1070),
    ]
    await checking.authorized()
    await checking.create()
    await checking.captured()
    await checking.commit()
    completed = await read(sessions, checking)
    assert (completed.state, completed.phase) == (State.COMPLETED, Phase.STOCK_COMMIT)
    assert (completed.order_status, completed.payment_status) == (OrderStatus.PAID, PaymentStatus.CAPTURED)
    assert completed.completed_at is not None
    assert completed.lines == priced.lines


async def test_it_belongs_to_whom_its_cart_belongs(checking: CheckingOut, sessions: Sessions) -> None:
    await checking.validate()
    record = await read(sessions, checking)
    assert record.owned_by(Owner(checking.basket.session_id))
    assert record.owned_by(Owner("ses_other", "customer_a"))
    assert not record.owned_by(Owner("ses_other"))
    assert not record.owned_by(Owner("ses_other", "customer_b"))


async def test_the_running_checkout_is_the_one_that_holds_the_cart(checking: CheckingOut, sessions: Sessions) -> None:
    async def running() -> str | None:
        async with sessions() as session:
            record = await read_running_checkout(session, checking.basket.cart_id)
        return None if record is None else record.id

    assert await running() is None
    await checking.release()
    assert await running() == checking.id, "one that is being undone is not closed yet"
    second = CheckingOut(checking.shop, checking.basket)
    await second.validate()
    assert await running() == second.id
    await second.undo(Outcome.CANCELLED)
    await checking.undo()
    assert await running() is None


async def test_orders_are_their_buyers(checking: CheckingOut, sessions: Sessions) -> None:
    await checking.complete()
    reference = (await checking.row())["order_reference"]
    mine, customers = Owner(checking.basket.session_id), Owner("ses_other", "customer_a")
    async with sessions() as session:
        with sent() as statements:
            order = await read_order(session, mine, reference)
            [listed] = await list_orders(session, customers, limit=2)
        assert len(statements) == 2
        assert order == listed
        assert (order.status, order.totals.total, order.checkout_id) == (OrderStatus.PAID, 7603, checking.id)
        assert [line.sku for line in order.lines] == ["MUG", "BOOK"]
        assert order.shipping_address == {**ADDRESS, "line2": None, "region": None}
        assert (order.billing_address, order.email, order.payment_status) == (
            None,
            "ada@example.com",
            PaymentStatus.CAPTURED,
        )
        for stranger in (Owner("ses_other"), Owner("ses_other", "customer_b")):
            assert await list_orders(session, stranger, limit=2) == []
            with pytest.raises(NotFound):
                await read_order(session, stranger, reference)
        with pytest.raises(NotFound):
            await read_order(session, mine, "ORD-NONE")


async def test_orders_are_listed_newest_first_and_page_by_page(checking: CheckingOut, sessions: Sessions) -> None:
    shop, references = checking.shop, []
    for _ in range(3):
        one = CheckingOut(shop, await shop.cart({"MUG": 1}, session_id="ses_ada"))
        await one.complete()
        references.append((await one.row())["order_reference"])
    listed: list[OrderRecord] = []
    async with sessions() as session:
        for size in (2, 1, 0):
            after = (listed[-1].created_at, listed[-1].reference) if listed else None
            page = await list_orders(session, Owner("ses_ada"), after=after, limit=2)
            assert len(page) == size
            listed += page
    assert [order.reference for order in listed] == references[::-1]
