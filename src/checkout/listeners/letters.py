"""E-mails made from templates: text and HTML of the same content, amounts as the reader writes them.

A template ``NAME.txt`` begins with a line ``Subject: …`` and an empty one; ``NAME.html`` is its other form. A shop puts
its own beside ours (``MAIL_TEMPLATES``), also for a language alone: ``NAME.de.txt``.
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import partial
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, select_autoescape

from checkout.domain.countries import country_name
from checkout.domain.currencies import currency_decimals
from checkout.runtime.settings import Settings

_SUBJECT = "Subject: "
_FALLBACK = Locale("en")


@dataclass(frozen=True)
class Letters:
    """Writes the shop's e-mails."""

    sender: str
    locale: Locale | None
    templates: Environment

    @classmethod
    def of(cls, settings: Settings) -> "Letters":
        """By the settings' sender, locale and templates."""
        own = [FileSystemLoader(settings.mail_templates)] if settings.mail_templates else []
        return cls(
            settings.mail_from or "",
            _locale(settings.mail_locale) if settings.mail_locale else None,
            Environment(
                loader=ChoiceLoader([*own, PackageLoader("checkout.listeners")]),
                autoescape=select_autoescape(["html"]),
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
            ),
        )

    def write(
        self, template: str, to: str, delivery_id: str, *, country: str | None = None, **values: Any
    ) -> EmailMessage:
        """The message of a template to a reader in ``country``; of one delivery it is the same each time.

        Raises jinja2's TemplateError where a template is missing or wrong.
        """
        locale = self.locale or _locale_of(country)
        shown = values | {
            "money": partial(money, locale=locale),
            "date": partial(_date, locale=locale),
            "country_name": country_name,
        }
        subject, text = self._render(template, "txt", locale, shown).split("\n", 1)
        message = EmailMessage()
        message["Subject"] = " ".join(subject.removeprefix(_SUBJECT).split())
        message["From"] = self.sender
        message["To"] = to
        message["Date"] = format_datetime(datetime.now(UTC))
        # The same at each attempt: a mail server or a reader's program that has it already may know it by this.
        message["Message-ID"] = f"<{delivery_id}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.lstrip("\n"))
        message.add_alternative(self._render(template, "html", locale, shown), subtype="html")
        return message

    def _render(self, template: str, form: str, locale: Locale, values: dict[str, Any]) -> str:
        names = [f"{template}.{locale.language}.{form}", f"{template}.{form}"]
        return self.templates.select_template(names).render(values)


def money(amount: int, currency: str, *, locale: Locale) -> str:
    """An amount in minor units as it is written in a locale, with all decimals of the currency (ISO 4217)."""
    decimals = currency_decimals(currency)
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (decimals, decimals)
    return str(pattern.apply(Decimal(amount).scaleb(-decimals), locale, currency=currency, currency_digits=False))


def _date(moment: datetime, *, locale: Locale) -> str:
    return format_date(moment, "long", locale=locale)


def _locale(name: str) -> Locale:
    return Locale.parse(name.replace("-", "_"))


def _locale_of(country: str | None) -> Locale:
    """What most people of a country write; English where that is not known."""
    try:
        return Locale.parse(f"und_{country}") if country else _FALLBACK
    except UnknownLocaleError:
        return _FALLBACK
