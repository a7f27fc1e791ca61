"""A shop at random: carts, prices, stock, starts, payments, cancels and expiries, held against a small model.

After each step all invariants hold, and stock is what the model says. How a checkout is started, paid and given back is
told by those who inherit: phase by phase, or by its workflow.
"""

import asyncio
import itertools
import os
from collections.abc import Coroutine
from dataclasses import dataclass, field
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

from checkout.domain.words import Outcome
from checkout.runtime.database import create_sessions, engine_for
from checkout.store.ledger import How, Refused, StockChange, change_stock
from tests.support.gateway import GatewayServer
from tests.support.invariants import check_invariants
from tests.support.shop import Basket, Shop

T = TypeVar("T")
SKUS = ("MUG", "BOOK", "PEN")
#: How often a buyer may try.
ATTEMPTS = 3
_numbers = itertools.count()

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


@dataclass
class Sale:
    """What the model knows of a running checkout: its lines, and the total that was told."""

    checkout: Any
    lines: dict[str, int]
    total: int
    declined: int = 0


@dataclass
class Model:
    """Units and prices by SKU, and what checkouts hold."""

    on_hand: dict[str, int] = field(default_factory=dict)
    price: dict[str, int] = field(default_factory=dict)
    running: list[Sale] = field(default_factory=list)
    closed: list[Sale] = field(default_factory=list)

    def held(self, sku: str) -> int:
        return sum(sale.lines.get(sku, 0) for sale in self.running)

    def short(self, lines: dict[str, int]) -> bool:
        return any(self.on_hand[sku] - self.held(sku) < quantity for sku, quantity in lines.items())

    def total(self, lines: dict[str, int]) -> int:
        """Each line with 19 % rounded half up, and shipping for 490 with 93."""
        nets = [self.price[sku] * quantity for sku, quantity in lines.items()]
        return sum(net + (net * 19 * 2 + 100) // 200 for net in nets) + 490 + 93


class ShopAtRandom(RuleBasedStateMachine):
    """Each run has SKUs of its own in a database that all share."""

    database_url: str
    gateway: GatewayServer

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.prefix = f"RUN{next(_numbers)}-"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(stock=st.dictionaries(st.sampled_from(SKUS), st.integers(0, 6)))
    def open(self, stock: dict[str, int]) -> None:
        self.run(self._open(stock))

    async def _open(self, stock: dict[str, int]) -> None:
        self.engine = engine_for(self.database_url)
        self.shop = Shop(create_sessions(self.engine))
        codes = dict(await self.shop.rows("SELECT code, id FROM warehouses"))
        if codes:
            self.shop.warehouses = codes
        else:
            await self.shop.open()
        for sku in SKUS:
            await self.shop.product(self.prefix + sku, 1000, {"FRA": stock.get(sku, 3), "LYS": 2})
            self.model.on_hand[sku], self.model.price[sku] = stock.get(sku, 3) + 2, 1000

    @rule(sku=st.sampled_from(SKUS), amount=st.integers(0, 9999))
    def change_a_price(self, sku: str, amount: int) -> None:
        self.run(
            self.shop.execute("UPDATE prices SET amount = :a WHERE variant_id = :v", a=amount, v=self._variant(sku))
        )
        self.model.price[sku] = amount

    @rule(sku=st.sampled_from(SKUS), code=st.sampled_from(["FRA", "LYS"]), quantity=st.integers(0, 6))
    def count_stock(self, sku: str, code: str, quantity: int) -> None:
        level = self.run(self._set_stock(sku, code, quantity))
        before, reserved = level
        if quantity >= reserved:
            self.model.on_hand[sku] += quantity - before

    async def _set_stock(self, sku: str, code: str, quantity: int) -> tuple[int, int]:
        change = StockChange(self._variant(sku), self.shop.warehouses[code], quantity, How.SET)
        [(on_hand, reserved)] = await self.shop.rows(
            "SELECT on_hand, reserved FROM stock WHERE variant_id = :v AND warehouse_id = :w",
            v=change.variant_id,
            w=change.warehouse_id,
        )
        async with self.shop.sessions() as session, session.begin():
            outcome = await change_stock(session, [change], reason="counted")
        refused: tuple[Refused, ...] = tuple(outcome.refused)
        assert bool(refused) is (quantity < reserved), "below what is held, and only there, it is refused"
        return on_hand, reserved

    @rule(lines=quantities)
    def start(self, lines: dict[str, int]) -> None:
        self.run(self._start(lines))

    async def _start(self, lines: dict[str, int]) -> None:
        basket = await self.shop.cart({self.prefix + sku: quantity for sku, quantity in lines.items()})
        begun = await self.begin(basket)
        assert (begun is None) is self.model.short(lines), "refused for want of stock, and only then"
        if begun is None:
            return
        checkout, total = begun
        assert total == self.model.total(lines)
        self.model.running.append(Sale(checkout, lines, total))

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), token=st.sampled_from(["tok_visa", "tok_visa", "tok_chargeDeclined", "tok_captureFails"]))
    def pay(self, data: st.DataObject, token: str) -> None:
        sale = data.draw(st.sampled_from(self.model.running))
        self.run(self._pay(sale, token))

    async def _pay(self, sale: Sale, token: str) -> None:
        before = sale.declined
        end = await self.pay_for(sale.checkout, token)
        if token == "tok_chargeDeclined":
            sale.declined += 1
        expected = {"tok_visa": Outcome.COMPLETED, "tok_captureFails": Outcome.FAILED}.get(token)
        assert end == (expected or (Outcome.FAILED if before == ATTEMPTS - 1 else None))
        if end is None:
            return
        self._close_sale(sale)
        if end is Outcome.COMPLETED:
            for sku, quantity in sale.lines.items():
                self.model.on_hand[sku] -= quantity

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.CANCELLED, Outcome.EXPIRED]))
    def give_up(self, data: st.DataObject, outcome: Outcome) -> None:
        self.run(self._undo(data.draw(st.sampled_from(self.model.running)), outcome))

    async def _undo(self, sale: Sale, outcome: Outcome) -> None:
        await self.give_back(sale.checkout, outcome)
        self._close_sale(sale)

    def _close_sale(self, sale: Sale) -> None:
        self.model.running.remove(sale)
        self.model.closed.append(sale)

    # -- told by those who inherit -------------------------------------------------------------------------------

    async def begin(self, basket: Basket) -> tuple[Any, int] | None:
        """Start a checkout; it and the total that was told (minor units), None where stock is short."""
        raise AssertionError("how is for those who inherit")

    async def pay_for(self, checkout: Any, token: str) -> Outcome | None:
        """Pay; how the checkout ended, None where it waits for another card."""
        raise AssertionError("how is for those who inherit")

    async def give_back(self, checkout: Any, outcome: Outcome) -> None:
        """Cancel the checkout or let it expire."""
        raise AssertionError("how is for those who inherit")

    @invariant()
    def guarantees_hold_and_stock_is_as_the_model_says(self) -> None:
        if self.model.on_hand:
            self.run(self._check())

    async def _check(self) -> None:
        for sku in SKUS:
            [(on_hand, reserved)] = await self.shop.rows(
                "SELECT sum(on_hand), sum(reserved) FROM stock WHERE variant_id = :v", v=self._variant(sku)
            )
            assert (on_hand, reserved) == (self.model.on_hand[sku], self.model.held(sku)), sku
        await check_invariants(self.engine, await self.gateway.ledger(), at_rest=False)

    def _variant(self, sku: str) -> int:
        return self.shop.variants[self.prefix + sku]

    def teardown(self) -> None:
        self.run(self._close())
        self.loop.close()

    async def _close(self) -> None:
        if self.model.on_hand:
            for sale in list(self.model.running):
                await self._undo(sale, Outcome.EXPIRED)
            await self.engine.dispose()


def hold_against_the_model(machine: type[ShopAtRandom], *, examples: int, steps: int) -> None:
    """Run the machine: a few histories, the same ones each time, or as many others as were asked for."""
    run_state_machine_as_test(machine, settings=on_real_servers(examples, steps=steps))
