"""A shop at random: carts, prices, stock, a coupon, starts, payments, cancels and expiries, held against a small model.

After each step all invariants hold, and stock, redemptions and the gateway's money are what the model says. How a
checkout is started, paid and given back is told by those who inherit: phase by phase, or by its workflow.
"""

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from checkout.domain.words import OnShortage, Outcome
from checkout.runtime.database import create_sessions, engine_for
from checkout.store.ledger import How, Refused, StockChange, change_stock
from tests.support import databases
from tests.support.gateway import GatewayServer
from tests.support.invariants import check_invariants
from tests.support.shop import Basket, Shop
from tests.support.shop_model import COUPON_LIMIT, Begun, Model, Sale

T = TypeVar("T")
SKUS = ("MUG", "BOOK", "PEN")
#: How often a buyer may try.
ATTEMPTS = 3
#: Makes shipping free.
COUPON = "FREIGHT"

#: `make test-stateful` asks for many, others each time; without it the same few are run each time.
EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "0"))


def on_real_servers(examples: int, *, steps: int = 50) -> settings:
    """Settings of a property whose every example takes a real shop: ``examples`` of ``steps``, or what was asked for.

    A failure in the few is told as it was found: to look for a smaller one takes minutes, which only the many have.
    """
    return settings(
        max_examples=EXAMPLES or examples,
        stateful_step_count=50 if EXAMPLES else steps,
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=list(Phase) if EXAMPLES else [Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


quantities = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1)


class ShopAtRandom(RuleBasedStateMachine):
    """Each history has a database of its own, so that what one left cannot be met by the next."""

    gateway: GatewayServer

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model = Model()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(stock=st.dictionaries(st.sampled_from(SKUS), st.integers(0, 9)))
    def open(self, stock: dict[str, int]) -> None:
        self.run(self._open(stock))

    async def _open(self, stock: dict[str, int]) -> None:
        self.database = contextlib.ExitStack()
        self.engine = engine_for(self.database.enter_context(databases.fresh_database()))
        self.shop = await Shop(create_sessions(self.engine)).open()
        for sku in SKUS:
            await self.shop.product(sku, 1000, {"FRA": stock.get(sku, 5), "LYS": 2})
            self.model.on_hand[sku], self.model.price[sku] = stock.get(sku, 5) + 2, 1000
        await self.shop.coupon(COUPON, kind="free_shipping", limit_total=COUPON_LIMIT)

    @rule(sku=st.sampled_from(SKUS), amount=st.just(0) | st.integers(1, 9999))
    def change_a_price(self, sku: str, amount: int) -> None:
        self.run(self._reprice(sku, amount))

    async def _reprice(self, sku: str, amount: int) -> None:
        await self.shop.execute("UPDATE prices SET amount = :a WHERE variant_id = :v", a=amount, v=self._variant(sku))
        self.model.price[sku] = amount

    @rule(sku=st.sampled_from(SKUS), code=st.sampled_from(["FRA", "LYS"]), quantity=st.integers(0, 6))
    def count_stock(self, sku: str, code: str, quantity: int) -> None:
        self.run(self._count(sku, code, quantity))

    async def _count(self, sku: str, code: str, quantity: int) -> None:
        on_hand, reserved = await self._level(sku, code)
        change = StockChange(self._variant(sku), self.shop.warehouses[code], quantity, How.SET)
        async with self.shop.sessions() as session, session.begin():
            outcome = await change_stock(session, [change], reason="counted")
        refused: tuple[Refused, ...] = tuple(outcome.refused)
        assert bool(refused) is (quantity < reserved), "below what is held, and only there, it is refused"
        if not refused:
            self.model.on_hand[sku] += quantity - on_hand

    async def _level(self, sku: str, code: str) -> tuple[int, int]:
        """What is on hand and what is held, in one warehouse."""
        [(on_hand, reserved)] = await self.shop.rows(
            "SELECT on_hand, reserved FROM stock WHERE variant_id = :v AND warehouse_id = :w",
            v=self._variant(sku),
            w=self.shop.warehouses[code],
        )
        return on_hand, reserved

    @rule(sku=st.sampled_from(SKUS), left=st.integers(0, 1), others=quantities)
    def start_for_more_than_the_last_unit(self, sku: str, left: int, others: dict[str, int]) -> None:
        """One unit is left of a SKU, or none, and two are wanted: that line is reduced, or dropped."""
        self.run(self._leave(sku, left))
        self.run(self._start({**others, sku: 2}, coupon=False, reduce=True))

    async def _leave(self, sku: str, units: int) -> None:
        for code, left in (("FRA", units), ("LYS", 0)):
            _, reserved = await self._level(sku, code)
            await self._count(sku, code, reserved + left)

    @rule(lines=quantities, reduce=st.booleans())
    def start(self, lines: dict[str, int], reduce: bool) -> None:
        self.run(self._start(lines, coupon=False, reduce=reduce))

    @rule(sku=st.sampled_from(SKUS), quantity=st.integers(1, 6))
    def start_with_the_coupon(self, sku: str, quantity: int) -> None:
        self.run(self._start({sku: quantity}, coupon=True, reduce=True))

    async def _start(self, lines: dict[str, int], *, coupon: bool, reduce: bool) -> None:
        basket = await self.shop.cart(lines, coupon_code=COUPON if coupon else None)
        begun = await self.begin(basket, OnShortage.REDUCE if reduce else OnShortage.FAIL)
        refusal = self.model.refusal(lines, coupon=coupon, reduce=reduce)
        assert (begun if isinstance(begun, str) else None) == refusal, "refused for a reason, and only then"
        if isinstance(begun, str):
            return
        sale = Sale(begun, self.model.available(lines), coupon)
        assert begun.total == self.model.total(sale.lines, coupon=coupon)
        assert await self._adjustments(begun.id) == {
            sku: (quantity, sale.lines.get(sku, 0))
            for sku, quantity in lines.items()
            if quantity != sale.lines.get(sku, 0)
        }
        self.model.running.append(sale)
        if begun.total == 0:
            await self.order_for_nothing(begun.handle)
            self._close_sale(sale, Outcome.COMPLETED)

    async def _adjustments(self, checkout_id: str) -> dict[str, tuple[int, int]]:
        """What was wanted and what was taken, by SKU, where they differ."""
        [(adjustments,)] = await self.shop.rows("SELECT adjustments FROM checkouts WHERE id = :id", id=checkout_id)
        return {one["sku"]: (one["requested"], one["taken"]) for one in adjustments}

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), token=st.sampled_from(["tok_visa", "tok_chargeDeclined", "tok_captureFails"]))
    def pay(self, data: st.DataObject, token: str) -> None:
        self.run(self._pay(data.draw(st.sampled_from(self.model.running)), token))

    @precondition(lambda self: any(sale.declined for sale in self.model.running))
    @rule()
    def pay_by_another_card(self) -> None:
        self.run(self._pay(next(sale for sale in self.model.running if sale.declined), "tok_visa"))

    async def _pay(self, sale: Sale, token: str) -> None:
        for sku in sale.lines:  # what is in the cart never costs what it did when its price was locked
            await self._reprice(sku, self.model.price[sku] + 1000)
        before = sale.declined
        end = await self.pay_for(sale.checkout.handle, token)
        if token == "tok_chargeDeclined":
            sale.declined += 1
        expected = {"tok_visa": Outcome.COMPLETED, "tok_captureFails": Outcome.FAILED}.get(token)
        assert end == (expected or (Outcome.FAILED if before == ATTEMPTS - 1 else None))
        if end is not None:
            self._close_sale(sale, end)

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.CANCELLED, Outcome.EXPIRED]))
    def give_up(self, data: st.DataObject, outcome: Outcome) -> None:
        self.run(self._undo(data.draw(st.sampled_from(self.model.running)), outcome))

    async def _undo(self, sale: Sale, outcome: Outcome) -> None:
        await self.give_back(sale.checkout.handle, outcome)
        self._close_sale(sale, outcome)

    def _close_sale(self, sale: Sale, outcome: Outcome) -> None:
        sale.outcome = outcome
        self.model.running.remove(sale)
        self.model.closed.append(sale)
        if outcome is Outcome.COMPLETED:
            for sku, quantity in sale.lines.items():
                self.model.on_hand[sku] -= quantity

    # -- told by those who inherit -------------------------------------------------------------------------------

    async def begin(self, basket: Basket, on_shortage: OnShortage) -> Begun | str:
        """Start a checkout, until its prices are locked; the code of the failure where it is refused."""
        raise AssertionError("how is for those who inherit")

    async def order_for_nothing(self, checkout: Any) -> None:
        """Complete a checkout whose total is zero, where it does not do so by itself."""
        raise AssertionError("how is for those who inherit")

    async def pay_for(self, checkout: Any, token: str) -> Outcome | None:
        """Pay; how the checkout ended, None where it waits for another card."""
        raise AssertionError("how is for those who inherit")

    async def give_back(self, checkout: Any, outcome: Outcome) -> None:
        """Cancel the checkout or let it expire."""
        raise AssertionError("how is for those who inherit")

    # -- what holds after each step ------------------------------------------------------------------------------

    @invariant()
    def guarantees_hold_and_all_is_as_the_model_says(self) -> None:
        if self.model.on_hand:
            self.run(self._check())

    async def _check(self, *, at_rest: bool = False) -> None:
        for sku in SKUS:
            [(on_hand, reserved)] = await self.shop.rows(
                "SELECT sum(on_hand), sum(reserved) FROM stock WHERE variant_id = :v", v=self._variant(sku)
            )
            assert (on_hand, reserved) == (self.model.on_hand[sku], self.model.held(sku)), sku
        assert await self.shop.execute("SELECT redeemed FROM coupons") == self.model.redeemed()
        own = {checkout_id for (checkout_id,) in await self.shop.rows("SELECT id FROM checkouts")}
        ledger = [item for item in await self.gateway.ledger() if item["checkout_id"] in own]
        for sale in [*self.model.running, *self.model.closed]:
            items = [item for item in ledger if item["checkout_id"] == sale.checkout.id]
            held = sum(item["authorized"] - item["captured"] - item["voided"] for item in items)
            kept = sum(item["captured"] - item["refunded"] for item in items)
            assert (held, kept) == (0, sale.checkout.total if sale.outcome is Outcome.COMPLETED else 0), sale
        await check_invariants(self.engine, ledger, at_rest=at_rest)

    def _variant(self, sku: str) -> int:
        return self.shop.variants[sku]

    def teardown(self) -> None:
        self.run(self._close())
        self.loop.close()

    async def _close(self) -> None:
        """Give up what still runs: in the end every checkout is all or nothing."""
        if not self.model.on_hand:
            return
        try:
            for sale in list(self.model.running):
                await self._undo(sale, Outcome.CANCELLED)
            await self._check(at_rest=True)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close what was opened, whatever became of it."""
        await self.engine.dispose()
        self.database.close()


def hold_against_the_model(machine: type[ShopAtRandom], *, examples: int, steps: int) -> None:
    """Run the machine: a few histories, the same ones each time, or as many others as were asked for."""
    run_state_machine_as_test(machine, settings=on_real_servers(examples, steps=steps))
