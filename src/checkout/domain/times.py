"""Times as messages, rows and answers carry them."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """A time in UTC by RFC 3339, such as ``2026-01-31T12:00:00.250000Z``."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_the_second(moment: datetime) -> str:
    """The same for people: without fractions, rounded down."""
    return rfc3339(moment.replace(microsecond=0))
