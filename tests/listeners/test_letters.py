"""What buyers read: amounts as they write them, in text and HTML, and whatever a name contains."""

from pathlib import Path
from typing import Any

import pytest
from babel import Locale

from checkout.listeners.letters import Letters, money
from checkout.runtime.settings import load_settings

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("amount", "currency", "locale", "written"),
    [
        (123456, "EUR", "de_DE", f"1.234,56{NBSP}€"),
        (123456, "EUR", "en_IE", "€1,234.56"),
        (500, "JPY", "ja_JP", "￥500"),
        (12345, "HUF", "hu_HU", f"123,45{NBSP}Ft"),
        (1500, "KWD", "en_GB", "KWD1.500"),
        (-50, "USD", "en_US", "-$0.50"),
        (10**15, "CHF", "de_DE", f"10.000.000.000.000,00{NBSP}CHF"),
    ],
)
def test_money(amount: int, currency: str, locale: str, written: str) -> None:
    assert money(amount, currency, locale=Locale.parse(locale)) == written


def letters(directory: Path, **settings: Any) -> Letters:
    (directory / "hello.txt").write_text("Subject: For {{ name }}\n\n{{ name }}: {{ money(500, 'EUR') }}\n")
    (directory / "hello.fr.txt").write_text("Subject: Pour {{ name }}\n\nBonjour {{ name }}\n")
    (directory / "hello.html").write_text("<p>{{ name }}: {{ money(500, 'EUR') }}</p>")
    return Letters.of(load_settings(mail_from="Shop <shop@shop.example>", mail_templates=directory, **settings))


@pytest.mark.parametrize(
    ("country", "locale", "written"),
    [("DE", None, f"5,00{NBSP}€"), ("US", None, "€5.00"), (None, None, "€5.00"), ("DE", "en-US", "€5.00")],
)
def test_amounts_by_country_or_setting(tmp_path: Path, country: str | None, locale: str | None, written: str) -> None:
    message = letters(tmp_path, mail_locale=locale).write("hello", "ada@example.com", "d", country=country, name="Ada")
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content() == f"Ada: {written}\n"
    assert html.get_content().strip() == f"<p>Ada: {written}</p>"


def test_every_country_has_a_locale(tmp_path: Path) -> None:
    some = letters(tmp_path)
    for country in ("AQ", "BV", "XK", "TF", "DE"):
        some.write("hello", "ada@example.com", "d", country=country, name="Ada")


def test_a_template_for_a_language(tmp_path: Path) -> None:
    message = letters(tmp_path).write("hello", "ada@example.com", "d", country="FR", name="Ada")
    assert message["Subject"] == "Pour Ada"


def test_what_a_name_contains_stays_text(tmp_path: Path) -> None:
    name = '<script>alert("x")</script>\u2028{{ 7 * 7 }}'
    message = letters(tmp_path).write("hello", "ada@example.com", "d", name=name)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert "<script>" in text.get_content()
    assert "<script>" not in html.get_content()
    assert "49" not in text.get_content() + html.get_content()


def test_the_same_delivery_is_the_same_message(tmp_path: Path) -> None:
    first, again = (letters(tmp_path).write("hello", "ada@example.com", "evt_1-x", name="Ada") for _ in range(2))
    assert first["Message-ID"] == again["Message-ID"] == "<evt_1-x@shop.example>"
