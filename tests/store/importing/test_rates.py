"""Exchange rates of the European Central Bank: stored by day, exactly, once."""

from decimal import Decimal
from pathlib import Path

import pytest

from checkout.runtime.database import Sessions
from checkout.store.importing.rates import import_rates
from checkout.store.importing.report import Counts, ImportRefused
from tests.store.shelves import Shelves

FILE = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
    xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <Cube><Cube time="2030-01-15">
    <Cube currency="USD" rate="1.0857"/><Cube currency="JPY" rate="160.35"/><Cube currency="BGL" rate="1.95"/>
  </Cube></Cube>
</gesmes:Envelope>
"""


def write(tmp_path: Path, content: str = FILE) -> Path:
    path = tmp_path / "eurofxref-daily.xml"
    path.write_text(content)
    return path


async def test_rates_are_stored_by_day_and_exactly(sessions: Sessions, tmp_path: Path) -> None:
    first = await import_rates(sessions, write(tmp_path))
    assert (first.day.isoformat(), first.counts, first.unknown) == ("2030-01-15", Counts(2, 0, 0), ("BGL",))
    assert (await import_rates(sessions, write(tmp_path))).counts == Counts(0, 0, 2)
    changed = FILE.replace("1.0857", "1.0860")
    assert (await import_rates(sessions, write(tmp_path, changed))).counts == Counts(0, 1, 1)
    assert (await import_rates(sessions, write(tmp_path, FILE.replace("01-15", "01-16")))).counts == Counts(2, 0, 0)
    rows = await Shelves(sessions).rows("SELECT base, currency, date::text, rate FROM exchange_rates ORDER BY 3, 2")
    assert rows == [
        ("EUR", "JPY", "2030-01-15", Decimal("160.35")),
        ("EUR", "USD", "2030-01-15", Decimal("1.0860")),
        ("EUR", "JPY", "2030-01-16", Decimal("160.35")),
        ("EUR", "USD", "2030-01-16", Decimal("1.0857")),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FILE.replace("1.0857", "0"), "USD"),
        (FILE.replace("1.0857", "-1"), "USD"),
        ("sku,quantity\n", "not well-formed XML"),
        ("<a/>", "no reference rates"),
        ('<!DOCTYPE a [<!ENTITY e "x">]>' + FILE.split("\n", 1)[1], "document type"),
        ("", "not well-formed"),
        ("<a>" + " " * 1_000_001 + "</a>", "more than 1000000 bytes"),
    ],
)
async def test_a_wrong_file_changes_nothing(sessions: Sessions, tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ImportRefused, match=f"eurofxref-daily.xml: .*{message}"):
        await import_rates(sessions, write(tmp_path, content))
    assert await Shelves(sessions).rows("SELECT * FROM exchange_rates") == []


async def test_no_file(sessions: Sessions, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="is not a file"):
        await import_rates(sessions, tmp_path / "none.xml")
