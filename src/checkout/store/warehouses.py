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
    session: AsyncSession, code: str, *, name: str = "", priority: int = 100, countries: tuple[str, ...] = ()
) -> WarehouseRow:
    """Make a warehouse, or change the one of that code to what is given."""
    row = (
        await session.execute(
            text("""
                INSERT INTO warehouses (code, name, priority, countries)
                VALUES (:code, :name, :priority, CAST(:countries AS text[]))
                ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority,
                    countries = excluded.countries
                RETURNING id, code, name, priority, countries, active
            """),
            {"code": code, "name": name or code, "priority": priority, "countries": list(countries)},
        )
    ).one()
    return WarehouseRow(row.id, row.code, row.name, row.priority, tuple(row.countries), row.active)
