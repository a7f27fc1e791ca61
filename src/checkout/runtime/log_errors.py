"""Errors in log lines: where they came from, without what was being worked on.

Local variables hold tokens and addresses, and are megabytes. A database's messages repeat values: the statement's
parameters, and PostgreSQL's own details ("Failing row contains …"). Of such an error only its kind, SQLSTATE and
constraint are said, in a group of errors (that of a stream) as well.
"""

import re
import traceback
from collections.abc import Mapping
from typing import Any

import psycopg
import structlog
from sqlalchemy.exc import DBAPIError

_TRANSFORMER = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_ExcInfo = structlog.typing.ExcInfo


def as_document(exc_info: _ExcInfo) -> list[dict[str, Any]]:
    """The error and what led to it, for machines."""
    said = _said(exc_info[1])
    return [_discreet_stack(stack, said) for stack in _TRANSFORMER(exc_info)]


def as_text(sio: Any, exc_info: _ExcInfo) -> None:
    """The same for people, as Python prints it."""
    text = "".join(traceback.format_exception(*exc_info))
    sio.write("\n" + _without(text, _said(exc_info[1])).rstrip())


def _discreet_stack(stack: dict[str, Any], said: Mapping[str, str]) -> dict[str, Any]:
    changed: dict[str, Any] = {"exc_value": _without(stack["exc_value"], said)}
    if "exceptions" in stack:  # those of a group
        changed["exceptions"] = [[_discreet_stack(one, said) for one in stacks] for stacks in stack["exceptions"]]
    return stack | changed


def _said(error: BaseException | None) -> Mapping[str, str]:
    """What errors of the database say, of all that led to this one or are in its group, and what is said instead."""
    found, waiting = {}, [error]
    for one in waiting:  # and those that are found on the way
        if one is None:
            continue
        if isinstance(one, DBAPIError | psycopg.Error) and str(one):
            found[str(one)] = _discreet(one)
        grouped = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [other for other in (one.__cause__, one.__context__, *grouped) if other not in waiting]
    # SQLAlchemy's repeat the driver's.
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _without(text: str, said: Mapping[str, str]) -> str:
    """The text with other words for what was said, wherever it stands; lines of a group are indented."""
    for words, instead in said.items():
        lines = r"\n[ |]*".join(re.escape(line) for line in words.split("\n"))
        text = re.sub(lines, instead.replace("\\", r"\\"), text)
    return text


def _discreet(error: DBAPIError | psycopg.Error) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return type(cause).__name__
    constraint = f", constraint {cause.diag.constraint_name}" if cause.diag.constraint_name else ""
    return f"{type(cause).__name__}, SQLSTATE {cause.sqlstate or 'none'}{constraint}"
