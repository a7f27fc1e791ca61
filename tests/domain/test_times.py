"""Times as they are written."""

from datetime import datetime

from checkout.domain.times import rfc3339


def test_times_are_utc_with_a_z() -> None:
    assert rfc3339(datetime.fromisoformat("2026-01-31T13:00:00.25+01:00")) == "2026-01-31T12:00:00.250000Z"
