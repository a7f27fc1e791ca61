"""Where tax rates come from: the shop's table, or a provider of the shop's own that may ask the table."""

from collections.abc import Callable
from dataclasses import dataclass

from checkout.domain.checks import InvalidValue, require
from checkout.domain.tax import AppliedRate, Destination, TaxProvider, TaxTable
from checkout.runtime.settings import Settings, SettingsError
from checkout.runtime.shops_own import import_named

#: Makes the provider of one pricing from the shop's rates of the destination and of its home country.
MakeProvider = Callable[[TaxTable], TaxProvider]

SETTING = "TAX_PROVIDER"


def the_table(table: TaxTable) -> TaxProvider:
    """The default: the table itself."""
    return table


def tax_provider_of(settings: Settings) -> MakeProvider:
    """What ``TAX_PROVIDER`` names, the table where it is unset. Raises SettingsError where there is no such thing."""
    if settings.tax_provider is None:
        return the_table
    module, _, name = settings.tax_provider.partition(":")
    make = getattr(import_named(SETTING, module), name, None)
    if not callable(make):
        raise SettingsError(
            f"CHECKOUT_{SETTING} names {name}, which is nothing in {module} that makes a provider of a TaxTable"
        )
    return lambda table: _Guarded(make, table)


@dataclass(frozen=True)
class _Guarded:
    """A provider of the shop's own: whatever it does wrong is the shop's fault, told as such, and no error of ours."""

    make: MakeProvider
    table: TaxTable

    def rate(self, destination: Destination, tax_class: str) -> AppliedRate:
        """The rate of a tax class at a destination. Raises InvalidValue."""
        try:
            applied = self.make(self.table).rate(destination, tax_class)
        except InvalidValue:
            raise
        except Exception as error:
            raise InvalidValue("tax_provider", f"{type(error).__name__}: {error}") from error
        require(isinstance(applied, AppliedRate), "tax_provider", "must answer an AppliedRate")
        return applied
