"""An error of the database says which server, table and row it is about, and who holds it; never what was sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from checkout.runtime.database import Sessions, create_sessions, engine_for
from checkout.store.trouble import told
from tests.support.shop import Shop

EMAIL = "ada@example.com"


@contextlib.asynccontextmanager
async def hurried(database_url: str, **options: float) -> AsyncIterator[Sessions]:
    """Sessions of a process that waits for nothing long."""
    engine = engine_for(database_url, **{"lock_timeout": 0.05, "pool_size": 2} | options)  # type: ignore[arg-type]
    yield create_sessions(engine)
    await engine.dispose()


async def said(sessions: Sessions, statement: str, **parameters: object) -> str:
    """What is told of the error that a statement ends in."""
    with pytest.raises(SQLAlchemyError) as caught:
        async with sessions() as session, session.begin():
            await session.execute(text(statement), parameters)
    return await told(sessions, caught.value)


async def test_a_locked_row_says_which_it_is_and_who_holds_it(shop: Shop, database_url: str) -> None:
    await shop.product("MUG", stock={"FRA": 1, "LYS": 1})
    lyon = shop.warehouses["LYS"]
    async with (
        hurried(database_url) as sessions,
        await psycopg.AsyncConnection.connect(database_url, application_name="psql of ada") as other,
    ):
        await other.execute("SELECT 1 FROM stock WHERE warehouse_id = %s FOR UPDATE", [lyon])
        detail = await said(sessions, "UPDATE stock SET on_hand = 9")
        assert detail.startswith("the row of stock (sku MUG, warehouse LYS) is locked by the database's process ")
        assert f"process {other.info.backend_pid} (psql of ada, idle in transaction, since 20" in detail
        assert detail.endswith("SQLSTATE 55P03")


async def test_a_row_that_a_constraint_refuses_is_named_by_its_key_alone(shop: Shop, database_url: str) -> None:
    await shop.product("MUG", stock=3)
    await shop.execute("INSERT INTO carts (id, session_id, currency) VALUES ('cart_a', 'ses_secret', 'EUR')")
    async with hurried(database_url) as sessions:
        assert await said(sessions, "UPDATE stock SET reserved = 4") == (
            "the row of stock (sku MUG, warehouse FRA) would break ck_stock_no_oversell, SQLSTATE 23514"
        )
        # A row that is not there yet has a key all the same; what else it would hold is not said.
        beside = await said(
            sessions,
            "INSERT INTO cart_addresses (cart_id, kind, name, line1, city, postal_code, country) "
            "VALUES ('cart_a', 'nowhere', :email, :email, :email, :email, 'DE')",
            email=EMAIL,
        )
        assert beside.startswith("the row of cart_addresses (cart_id cart_a, kind nowhere) would break ck_cart")
        twice = await said(
            sessions, "INSERT INTO carts (id, session_id, currency, email) VALUES ('cart_a', 's', 'EUR', :e)", e=EMAIL
        )
        assert twice == "the row of carts would break pk_carts, SQLSTATE 23505"
        assert EMAIL not in beside + twice


async def test_a_server_that_is_away_is_named_by_its_address() -> None:
    async with hurried("postgresql://ada:secret@127.0.0.1:9/shop") as sessions:
        assert await said(sessions, "SELECT 1") == "the database at 127.0.0.1:9 does not answer: Connection refused"
    several = "postgresql://127.0.0.1:9,127.0.0.1:7/shop"
    async with hurried(several) as sessions:
        assert (await said(sessions, "SELECT 1")).startswith("the database at 127.0.0.1:9,127.0.0.1:7 does not answer")


async def test_a_server_that_ends_the_connection_is_named(database_url: str) -> None:
    async with hurried(database_url) as sessions:
        detail = await said(sessions, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert detail.startswith(f"the database at {sessions.address} does not ")
        assert "AdminShutdown" in detail or "closed the connection" in detail


async def test_a_value_that_does_not_fit_is_told_by_its_kind(database_url: str) -> None:
    async with hurried(database_url) as sessions:
        detail = await said(sessions, "SELECT CAST(:email AS bigint)", email=EMAIL)
        assert detail.endswith("answered with InvalidTextRepresentation, SQLSTATE 22P02")
        detail = await said(sessions, "SELECT nothing FROM carts")
        assert 'column "nothing" does not exist): has `checkout migrate` run?' in detail


async def test_a_pool_that_is_used_up_names_its_setting(engine: AsyncEngine, database_url: str) -> None:
    crowded = create_sessions(engine_for(database_url, pool_size=1))
    crowded._engine.sync_engine.pool._timeout = 0.05  # type: ignore[attr-defined]
    async with crowded() as session:
        await session.execute(text("SELECT 1"))
        assert "CHECKOUT_DATABASE_POOL_SIZE" in await said(crowded, "SELECT 1")
    await crowded._engine.dispose()


async def test_a_row_that_nobody_can_look_at_is_not_waited_for(shop: Shop, database_url: str) -> None:
    """Every connection of the pool is in use: the sentence does without the row's name."""
    await shop.product("MUG", stock=3)
    async with hurried(database_url, pool_size=1) as sessions, asyncio.timeout(20):
        with pytest.raises(SQLAlchemyError) as caught:
            async with sessions() as session, session.begin():
                await session.execute(text("UPDATE stock SET reserved = 4"))
        async with sessions() as session:
            await session.execute(text("SELECT 1"))
            detail = await told(sessions, caught.value)
        assert detail.startswith("the row of stock (variant_id ")
