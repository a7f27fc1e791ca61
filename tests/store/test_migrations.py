"""The migrations make what the tables say, and can be run by several at once."""

import re
import threading
from enum import StrEnum
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, create_engine

import checkout.store.migrations
from checkout.domain.refunds import RefundStatus
from checkout.domain.webhooks import DeliveryStatus
from checkout.domain.words import AttemptStatus, OnShortage, OrderStatus, PaymentStatus, State
from checkout.store.migrate import current_revision, head_revision, upgrade
from checkout.store.tables import Table

MIGRATIONS = Path(checkout.store.migrations.__file__).parent


def test_the_migrated_schema_is_that_of_the_tables(database_url: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def test_check_constraints_are_those_of_the_tables(database_url: str) -> None:
    declared = {
        (table.name, constraint.name)
        for table in Table.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' "
            "AND connamespace = 'public'::regnamespace"
        ).fetchall()
    assert {(str(table), name) for table, name in found} == declared


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("checkouts", "state", State),
        ("checkouts", "payment_status", PaymentStatus),
        ("checkouts", "on_shortage", OnShortage),
        ("payment_attempts", "status", AttemptStatus),
        ("orders", "status", OrderStatus),
        ("refunds", "status", RefundStatus),
        ("webhook_deliveries", "status", DeliveryStatus),
    ],
)
def test_a_column_takes_the_words_that_the_code_has_for_it(
    database_url: str, table: str, column: str, words: type[StrEnum]
) -> None:
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", (f"ck_{table}_{column}",)
        ).fetchone()
    assert found is not None
    assert set(re.findall(r"'(\w+)'", found[0])) == set(words)


def test_several_that_migrate_at_once_do_it_once(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    errors: list[BaseException] = []

    def migrate() -> None:
        try:
            upgrade(database_url)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert current_revision(database_url) == head_revision()


def test_a_failed_migration_leaves_nothing(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("CREATE TABLE orders ()")  # in the way of the seventh script
    with pytest.raises(Exception, match="already exists"):
        upgrade(database_url)
    assert current_revision(database_url) is None
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('products')").fetchone() == (None,)


def test_each_revision_follows_the_one_before_and_has_scripts_of_its_own() -> None:
    versions = sorted(path.name for path in (MIGRATIONS / "versions").glob("0*.py"))
    revisions = [name.partition("_")[0] for name in versions]
    assert revisions == [f"{number:04}" for number in range(1, len(versions) + 1)], versions
    assert sorted(path.name for path in (MIGRATIONS / "sql").iterdir()) == revisions
    for name, revision, before in zip(versions, revisions, ["", *revisions], strict=False):
        text = (MIGRATIONS / "versions" / name).read_text()
        assert f'\nrevision = "{revision}"\n' in text, name
        assert (f'\ndown_revision = "{before}"\n' in text) == bool(before), name
