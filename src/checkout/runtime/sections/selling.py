"""How long a checkout may take, and how prices are meant."""

from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings

from checkout.runtime.setting_kinds import PREFIX, Country, Currency, NamedCode, setting, text


class SellingSettings(BaseSettings):
    """Deadline, currencies and taxes; durations that people write in minutes are offered in seconds."""

    ttl_minutes: float = setting(
        15, "Minutes until an unpaid checkout expires", "minutes, more than 0, at most MAX_TTL_MINUTES", gt=0
    )
    max_ttl_minutes: float = setting(
        60,
        "Longest life of an unpaid checkout, extensions included",
        "minutes, more than 0, at most 1440",
        gt=0,
        le=1440,
    )
    base_currency: Currency = text("EUR", "Currency from which prices are converted", "an ISO 4217 code, such as EUR")
    prices_include_tax: bool = setting(
        False, "Whether prices are entered with the tax of HOME_COUNTRY in them", "true or false"
    )
    home_country: Country | None = text(None, "Country of the shop", "an ISO 3166-1 alpha-2 code, such as DE")
    tax_provider: NamedCode | None = text(
        None,
        "What makes the shop's own source of tax rates; unset: the table of rates",
        "module:name, importable by the API and the worker",
    )
    price_drift_tolerance: int = setting(
        1, "Minor units by which prices may have moved before a drift is logged", "a whole number from 0", ge=0
    )

    @model_validator(mode="after")
    def _check_deadline_and_tax(self) -> Self:
        if self.ttl_minutes > self.max_ttl_minutes:
            raise ValueError(
                f"{PREFIX}TTL_MINUTES is {self.ttl_minutes:g}, "
                f"more than {PREFIX}MAX_TTL_MINUTES, {self.max_ttl_minutes:g}"
            )
        if self.prices_include_tax and self.home_country is None:
            raise ValueError(
                f"{PREFIX}PRICES_INCLUDE_TAX is true and {PREFIX}HOME_COUNTRY is not set: whose tax is it?"
            )
        return self

    @property
    def ttl(self) -> int:
        """Seconds until an unpaid checkout expires."""
        return max(1, round(self.ttl_minutes * 60))

    @property
    def max_ttl(self) -> int:
        """Seconds from the start after which no extension helps."""
        return max(1, round(self.max_ttl_minutes * 60))
