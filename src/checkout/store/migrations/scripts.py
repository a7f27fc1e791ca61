"""Migrations are SQL, ``sql/<revision>/*.sql``, run in the order of their names. They go forward only."""

from pathlib import Path

from alembic import op

SQL = Path(__file__).parent / "sql"


def run_scripts(revision: str) -> None:
    """Run the SQL files of a revision in the migration's transaction. Raises FileNotFoundError when it has none."""
    scripts = sorted((SQL / revision).glob("*.sql"))
    if not scripts:
        raise FileNotFoundError(f"{SQL / revision}: no SQL files")
    connection = op.get_bind()
    for script in scripts:
        # Without parameters the text reaches the server as it is: many statements, and no percent sign means anything.
        connection.exec_driver_sql(script.read_text(encoding="utf-8"), execution_options={"no_parameters": True})
