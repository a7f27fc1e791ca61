"""Stock as people ask for it: by SKU and warehouse code."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.checks import InvalidValue
from checkout.store.ledger import How, Refused, StockChange, StockLevel, change_stock
from checkout.store.warehouses import find_warehouse


@dataclass(frozen=True, slots=True)
class StockLine:
    """What a warehouse has of a SKU; ``available`` is what may still be sold."""

    warehouse: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        """Units that may still be sold."""
        return self.on_hand - self.reserved


async def variant_id(session: AsyncSession, sku: str) -> int:
    """The variant of a SKU. Raises InvalidValue where there is none."""
    found = (await session.execute(text("SELECT id FROM variants WHERE sku = :sku"), {"sku": sku})).scalar()
    if found is None:
        raise InvalidValue("sku", f"{sku[:60]!r} is no SKU of the shop")
    return int(found)


async def stock_of(session: AsyncSession, sku: str) -> list[StockLine]:
    """A SKU's stock in each warehouse that has had some, first by priority. Raises InvalidValue for an unknown SKU."""
    rows = await session.execute(
        text("""
            SELECT code, on_hand, reserved FROM stock JOIN warehouses ON warehouses.id = warehouse_id
            WHERE variant_id = :variant ORDER BY priority, warehouses.id
        """),
        {"variant": await variant_id(session, sku)},
    )
    return [StockLine(row.code, row.on_hand, row.reserved) for row in rows]


async def change_stock_of(
    session: AsyncSession, sku: str, quantity: int, how: How, *, warehouse: str | None, reason: str
) -> StockLevel | Refused:
    """Change the stock of a SKU in the warehouse of that code (None: the first by priority); see ``change_stock``.

    Raises InvalidValue for an unknown SKU or an impossible quantity, UnknownWarehouse.
    """
    place = await find_warehouse(session, warehouse)
    change = StockChange(await variant_id(session, sku), place.id, quantity, how)
    try:
        outcome = await change_stock(session, [change], reason=reason)
    except ValueError as error:
        raise InvalidValue("quantity", str(error).removeprefix("quantity ")) from None
    return outcome.refused[0] if outcome.refused else outcome.levels[0]
