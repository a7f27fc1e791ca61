"""Counts the SQL statements that this process sends, by whatever way they reach the driver."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg


@contextmanager
def sent() -> Iterator[list[tuple[str, Any]]]:
    """The statements sent inside the block with their parameters, in order; BEGIN and COMMIT are not among them."""
    statements: list[tuple[str, Any]] = []
    execute = psycopg.AsyncCursor.execute

    async def note(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        statements.append((str(query), params))
        return await execute(self, query, params, **options)

    with patch.object(psycopg.AsyncCursor, "execute", note):
        yield statements
