"""Exchange rates from the European Central Bank's daily XML, kept by day."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from checkout.domain.checks import InvalidValue
from checkout.domain.currencies import is_currency
from checkout.domain.exchange import MAX_ECB_BYTES, EcbRates, parse_ecb_rates
from checkout.runtime.database import Sessions, in_transaction
from checkout.store.importing.report import Counts, ImportRefused

#: The currency that the European Central Bank's rates are for one unit of.
BASE = "EUR"

_SET_RATES = text("""
    INSERT INTO exchange_rates (base, currency, date, rate)
    SELECT :base, currency, CAST(:day AS date), rate
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (currency text, rate numeric)
    ORDER BY currency
    ON CONFLICT (base, currency, date) DO UPDATE SET rate = excluded.rate, updated_at = now()
        WHERE exchange_rates.rate <> excluded.rate
    RETURNING (xmax = 0) AS created
""")


@dataclass(frozen=True, slots=True)
class RatesImport:
    """The day that the rates are of, what was done, and currencies of the file that are in use nowhere any more."""

    day: datetime.date
    counts: Counts
    unknown: tuple[str, ...]


async def import_rates(sessions: Sessions, path: Path) -> RatesImport:
    """Store the rates of the newest day in the file; repeating it changes nothing.

    Raises ImportRefused for what is no such file and for a rate that is not positive: nothing was changed then.
    """
    rates = _read(path)
    return await in_transaction(sessions, lambda session: _save(session, rates))


def _read(path: Path) -> EcbRates:
    if not path.is_file():
        raise ImportRefused(f"{path} is not a file")
    with path.open("rb") as file:
        data = file.read(MAX_ECB_BYTES + 1)
    try:
        return parse_ecb_rates(data)
    except InvalidValue as error:
        raise ImportRefused(f"{path.name}: {error}") from None


async def _save(session: AsyncSession, rates: EcbRates) -> RatesImport:
    # As texts: a JSON number would go through a float.
    rows = [{"currency": c, "rate": str(rate)} for c, rate in rates.per_euro.items() if is_currency(c)]
    saved = await session.execute(_SET_RATES, {"base": BASE, "day": rates.day, "rows": json.dumps(rows)})
    created = list(saved.scalars())
    counts = Counts(sum(created), len(created) - sum(created), len(rows) - len(created))
    return RatesImport(rates.day, counts, tuple(sorted(c for c in rates.per_euro if not is_currency(c))))
