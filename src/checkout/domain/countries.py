"""Countries and their regions by ISO 3166 (package ``pycountry``). Not for workflow code: it loads tables."""

import unicodedata
from functools import cache, lru_cache

import pycountry

from checkout.domain.checks import InvalidValue


@cache
def _countries() -> dict[str, str]:
    return {c.alpha_2: getattr(c, "common_name", c.name) for c in pycountry.countries}


def _plain(text: str) -> str:
    """A name as it is compared: without case, accents and outer blanks."""
    apart = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@cache
def _regions() -> dict[str, dict[str, str]]:
    """By country: its regions' codes, from code and from name."""
    found: dict[str, dict[str, str]] = {}
    for subdivision in pycountry.subdivisions:
        code = subdivision.code.split("-", 1)[1]
        names = found.setdefault(subdivision.country_code, {})
        names.setdefault(_plain(subdivision.name), code)
        names[_plain(code)] = code
    return found


def is_country(country: str) -> bool:
    """Whether the code is an ISO 3166-1 alpha-2 code, in upper case."""
    return country in _countries()


def country_name(country: str) -> str:
    """The country's English name. Raises InvalidValue for an unknown code."""
    try:
        return _countries()[country]
    except KeyError:
        raise InvalidValue("country", f"{country[:10]!r} is no ISO 3166-1 alpha-2 code") from None


@lru_cache(maxsize=4096)
def region_code(country: str, region: str | None) -> str | None:
    """The ISO 3166-2 code of a region without its country: ``CA`` for ``ca``, ``US-CA``, ``California``.

    None for none, and for a text that names no region of the country: people write what they like there.
    """
    if not region:
        return None
    text = _plain(region).removeprefix(f"{country.casefold()}-")
    return _regions().get(country, {}).get(text)
