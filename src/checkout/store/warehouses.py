"""Warehouses: the places that ship, found by their code."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class WarehouseRow:
    """A warehouse as the database has it; the lowest priority comes first, no countries means all."""

    id: int
    code: str
    name: str
    priority: int
    countries: tuple[str, ...]
    active: bool


class UnknownWarehouse(Exception):
    """No warehouse has this code; ``str()`` names those that exist."""


async def list_warehouses(session: AsyncSession) -> list[WarehouseRow]:
    """All warehouses, first by priority."""
    rows = await session.execute(
        text("SELECT id, code, name, priority, countries, active FROM warehouses ORDER BY priority, id")
    )
    return [WarehouseRow(row.id, row.code, row.name, row.priority, tuple(row.countries), row.active) for row in rows]


async def find_warehouse(session: AsyncSession, code: str | None = None) -> WarehouseRow:
    """The warehouse of that code, without one the first by priority.

    Raises UnknownWarehouse, which says what there is and how to make one.
    """
    there_are = await list_warehouses(session)
    for row in there_are:
        if code is None or row.code == code:
            return row
    known = ", ".join(row.code for row in there_are) or "none yet"
    wanted = f"warehouse {code!r} is not known" if code is not None else "no warehouse"
    raise UnknownWarehouse(
        f"{wanted} (there are: {known}); make it with: checkout stock add-warehouse {code or 'main'}"
    )


async def add_warehouse(
    session: AsyncSession,
    code: str,
    *,
    name: str | None = None,
    priority: int | None = None,
    countries: tuple[str, ...] | None = None,
) -> WarehouseRow:
    """Make a warehouse, or change of the one of that code what is given.

    A new one has its code as name, priority 100, and serves all countries, where nothing else is given.
    """
    row = (
        await session.execute(
            text("""
                INSERT INTO warehouses (code, name, priority, countries)
                VALUES (:code, COALESCE(:name, :code), COALESCE(:priority, 100),
                    COALESCE(CAST(:countries AS text[]), '{}'))
                ON CONFLICT (code) DO UPDATE SET name = COALESCE(:name, warehouses.name),
                    priority = COALESCE(:priority, warehouses.priority),
                    countries = COALESCE(CAST(:countries AS text[]), warehouses.countries)
                RETURNING id, code, name, priority, countries, active
            """),
            {
                "code": code,
                "name": name,
                "priority": priority,
                "countries": None if countries is None else list(countries),
            },
        )
    ).one()
    return WarehouseRow(row.id, row.code, row.name, row.priority, tuple(row.countries), row.active)
