"""Errors in log lines: where they came from, without what was being worked on.

Local variables hold tokens and addresses, and are megabytes. A database's messages repeat values: the statement's
parameters, and PostgreSQL's own details ("Failing row contains …"). Of such an error only its kind, SQLSTATE and
constraint are said.
"""

import traceback
from collections.abc import Iterator
from typing import Any

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

_TRANSFORMER = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_ExcInfo = structlog.typing.ExcInfo


def as_document(exc_info: _ExcInfo) -> list[dict[str, Any]]:
    """The error and what led to it, for machines."""
    stacks = _TRANSFORMER(exc_info)
    for stack, error in zip(stacks, _chain(exc_info[1]), strict=False):
        if isinstance(error, DBAPIError | psycopg.Error):
            stack["exc_value"] = _discreet(error)
    return stacks


def as_text(sio: Any, exc_info: _ExcInfo) -> None:
    """The same for people, as Python prints it."""
    text = "".join(traceback.format_exception(*exc_info))
    for error in _chain(exc_info[1]):
        if isinstance(error, DBAPIError | psycopg.Error):
            text = text.replace(str(error), _discreet(error))
    sio.write("\n" + text.rstrip())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it, as far as they are shown."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _discreet(error: DBAPIError | psycopg.Error) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return type(cause).__name__
    constraint = f", constraint {cause.diag.constraint_name}" if cause.diag.constraint_name else ""
    return f"{type(cause).__name__}, SQLSTATE {cause.sqlstate or 'none'}{constraint}"
