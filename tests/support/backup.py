"""A backup of the shop's tables, and what comes after a disk was lost: the gateway and Temporal know more than they."""

from tests.support.shop import Shop

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
#: Columns that the database reckons itself cannot be written.
_COLUMNS = """
SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = :table AND is_generated = 'NEVER'
"""


async def backed_up(shop: Shop) -> None:
    """Keep all tables of the shop as they are."""
    await shop.execute("CREATE SCHEMA backup")
    for (table,) in await shop.rows(_TABLES):
        await shop.execute(f"CREATE TABLE backup.{table} AS TABLE public.{table}")


async def restored(shop: Shop) -> None:
    """Put all of them back, as a restore does: past triggers and foreign keys."""
    statements = ["SET LOCAL session_replication_role = replica"]
    for (table,) in await shop.rows(_TABLES):
        columns = await shop.execute(_COLUMNS, table=table)
        statements += [
            f"DELETE FROM public.{table}",  # noqa: S608 - names of tables
            f"INSERT INTO public.{table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM backup.{table}",  # noqa: S608
        ]
    await shop.execute_all(statements)
