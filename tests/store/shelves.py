"""A shelf with stock on it, and checkouts that hold some: rows as the store's functions and phases leave them."""

from functools import partial
from typing import Any

from sqlalchemy import text

from checkout.runtime.database import Sessions, in_transaction
from checkout.store.ledger import How, StockChange, StockChanges, change_stock
from checkout.store.warehouses import add_warehouse

_HOLD = (
    "INSERT INTO carts (id, session_id, currency) VALUES ('cart_' || :c, 's', 'EUR') ON CONFLICT DO NOTHING",
    """
    INSERT INTO checkouts (id, cart_id, session_id, workflow_id, run_id, state, locked_at)
    VALUES (:c, 'cart_' || :c, 's', 'w', 'r', 'awaiting_payment', now()) ON CONFLICT DO NOTHING
    """,
    "UPDATE stock SET reserved = reserved + :q WHERE variant_id = :v AND warehouse_id = :w",
    "INSERT INTO reservations (checkout_id, variant_id, warehouse_id, quantity) VALUES (:c, :v, :w, :q)",
    """
    INSERT INTO stock_movements (variant_id, warehouse_id, kind, reserved_delta, checkout_id)
    VALUES (:v, :w, 'reserved', :q, :c)
    """,
)


class Shelves:
    """A shop with warehouses and variants, by code and SKU."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.warehouses: dict[str, int] = {}
        self.variants: dict[str, int] = {}

    async def build(self, warehouses: tuple[str, ...], skus: tuple[str, ...]) -> None:
        """Make warehouses, first by priority, and variants of one product."""
        for priority, code in enumerate(warehouses, start=1):
            row = await in_transaction(self.sessions, partial(add_warehouse, code=code, priority=priority))
            self.warehouses[code] = row.id
        if not skus:
            return
        product = await self.value("INSERT INTO products (handle, title) VALUES ('cup', 'Cup') RETURNING id")
        for sku in skus:
            self.variants[sku] = await self.value(
                "INSERT INTO variants (product_id, sku) VALUES (:product, :sku) RETURNING id", product=product, sku=sku
            )

    def change(self, sku: str, quantity: int, how: How, warehouse: str = "main") -> StockChange:
        """A change of a SKU in a warehouse."""
        return StockChange(self.variants[sku], self.warehouses[warehouse], quantity, how)

    async def apply(self, *changes: StockChange) -> StockChanges:
        """Apply changes in a transaction of their own."""
        return await in_transaction(self.sessions, lambda session: change_stock(session, changes, reason="test"))

    async def hold(self, checkout: str, sku: str, quantity: int, warehouse: str = "main") -> None:
        """Let a running checkout hold units, as the reservation phase does."""
        keys = {"v": self.variants[sku], "w": self.warehouses[warehouse], "q": quantity, "c": checkout}
        async with self.sessions() as session:
            for statement in _HOLD:
                await session.execute(text(statement), {key: keys[key] for key in keys if f":{key}" in statement})
            await session.commit()

    async def execute(self, statement: str, **parameters: Any) -> None:
        """Run a statement past the store's functions."""
        async with self.sessions() as session:
            await session.execute(text(statement), parameters)
            await session.commit()

    async def rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        async with self.sessions() as session:
            return [tuple(row) for row in await session.execute(text(statement), parameters)]

    async def value(self, statement: str, **parameters: Any) -> Any:
        """The only value of a statement, committed."""
        async with self.sessions() as session:
            value = (await session.execute(text(statement), parameters)).scalar_one()
            await session.commit()
            return value

    async def stock(self, sku: str, warehouse: str = "main") -> tuple[int, int] | None:
        """on_hand and reserved of a row."""
        rows = await self.rows(
            "SELECT on_hand, reserved FROM stock WHERE variant_id = :v AND warehouse_id = :w",
            v=self.variants[sku],
            w=self.warehouses[warehouse],
        )
        return (rows[0][0], rows[0][1]) if rows else None

    async def movements(self, sku: str) -> list[tuple[str, int, int]]:
        """Kind and deltas of a SKU's movements, oldest first."""
        rows = await self.rows(
            "SELECT kind, on_hand_delta, reserved_delta FROM stock_movements WHERE variant_id = :v ORDER BY id",
            v=self.variants[sku],
        )
        return [(kind, on_hand, reserved) for kind, on_hand, reserved in rows]
