"""A Shopify export read into products: what is on which row, what is bad, and how SKUs are derived."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout.domain.checks import InvalidValue
from checkout.store.importing.plaintext import html_to_text
from checkout.store.importing.shopify import MAX_VARIANTS, ProductRecord, derived_sku, open_products, read_products
from tests.store.importing.files import COLUMNS, DATA, write_products


def read(path: Path, currency: str = "EUR") -> list[ProductRecord]:
    return list(read_products(open_products(path), currency))


def test_an_export_is_read_whole() -> None:
    pot, fork, seeds, gloves, rake = read(DATA / "garden.csv")
    assert (pot.handle, pot.title, pot.vendor, pot.category, pot.active) == (
        "herb-pot",
        "Herb Pot",
        "Own Pottery",
        "Outdoor",
        True,
    )
    assert pot.description == "Glazed pot & saucer.\n\n- frost-proof\n- with a hole"
    assert pot.image_url == "https://shop.example/pot-small.jpg"
    assert (pot.rows, pot.image_rows) == (3, 1)
    assert [(v.options, v.price, v.quantity, v.weight_grams, v.image_url) for v in pot.variants] == [
        (("Small", None, None), 999, 12, 250, None),
        (("Large", None, None), 1599, 3, 900, "https://shop.example/pot-large.jpg"),
    ]
    assert fork.description == 'Ash handle, "hand-forged", 4 tines.'
    assert [(v.options, v.price, v.quantity) for v in fork.variants] == [((None, None, None), 50000, 8)]
    assert (seeds.title, seeds.variants[0].price) == ("Sämereien „Mix“", 0)
    assert [(v.sku, v.options, v.taxable) for v in gloves.variants] == [
        ("GL-M-GR", ("M", "Green", None), False),
        ("GL-L-GR", ("L", "Green", None), False),
    ]
    assert rake.active is False
    assert not any(record.bad for record in (pot, fork, seeds, gloves, rake))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("Handle", "", "line 2, Handle: is empty"),
        ("Title", "x" * 256, "line 2, Title: 256 characters, at most 255 are taken"),
        ("Title", "two\nlines", "line 2, Title: 'two\\nlines' has a line break or a control character in it"),
        ("Variant Price", "", "line 2, Variant Price: is empty (0 for a free item)"),
        ("Variant Price", "9,99", "line 2, Variant Price: '9,99' is no decimal number such as 9.99"),
        ("Variant Price", "9.999", "line 2, Variant Price: '9.999' has 3 decimals, EUR has 2 decimals"),
        ("Variant Price", "-1", "line 2, Variant Price: must not be negative"),
        ("Variant Price", "1e3", "line 2, Variant Price: '1e3' is no decimal number such as 9.99"),
        ("Variant Inventory Qty", "-3", "line 2, Variant Inventory Qty: '-3' is no whole number from 0 on; oversold"),
        ("Variant Inventory Qty", "1.5", "line 2, Variant Inventory Qty: '1.5' is no whole number from 0 on"),
        ("Variant Inventory Qty", "٣", "line 2, Variant Inventory Qty: '٣' is no whole number from 0 on"),
        ("Variant Inventory Qty", "1000000001", "line 2, Variant Inventory Qty: 1000000001 is more than 1000000000"),
        ("Variant Inventory Qty", "9" * 5000, "line 2, Variant Inventory Qty: 99"),
        ("Variant Grams", "heavy", "line 2, Variant Grams: 'heavy' is no weight in grams"),
        ("Variant Grams", "NaN", "line 2, Variant Grams: NaN is no weight from 0"),
        ("Variant Grams", "-1", "line 2, Variant Grams: -1 is no weight from 0"),
        ("Published", "maybe", "line 2, Published: 'maybe' is none of true, false"),
        ("Status", "gone", "line 2, Status: 'gone' is none of active, draft, archived, unlisted"),
        ("Variant Taxable", "x", "line 2, Variant Taxable: 'x' is none of true, false"),
        ("Tax Class", "low", "line 2, Tax Class: 'low' is none of standard, reduced, "),
        ("Image Src", "javascript:alert(1)", "line 2, Image Src: 'javascript:alert(1)' is no address of an image"),
        ("Variant Image", "pot.jpg", "line 2, Variant Image: 'pot.jpg' is no address of an image"),
    ],
)
def test_a_bad_cell_is_said_with_line_and_column(tmp_path: Path, column: str, value: str, message: str) -> None:
    products = read(write_products(tmp_path / "p.csv", {column: value}, {"Handle": "tea", "Title": "Tea"}))
    assert [str(bad).startswith(message) for record in products for bad in record.bad] == [True], products
    assert [record.handle for record in products if record.variants] == ["tea"]


def test_decimals_follow_the_currency(tmp_path: Path) -> None:
    path = write_products(tmp_path / "p.csv", {"Variant Price": "500"}, {"Handle": "t", "Variant Price": "1.234"})
    assert [v.price for record in read(path, "KWD") for v in record.variants] == [500_000, 1_234]
    assert [v.price for record in read(path, "JPY") for v in record.variants] == [500]
    with pytest.raises(InvalidValue, match="no ISO 4217 currency"):
        read(path, "EURO")


def test_a_row_with_neither_variant_nor_image_is_bad(tmp_path: Path) -> None:
    nothing = {"Title": "", "Option1 Value": "", "Variant Inventory Qty": "", "Variant Price": ""}
    (product,) = read(write_products(tmp_path / "p.csv", {}, nothing))
    assert [str(bad) for bad in product.bad] == ["line 3, Variant Price: is empty, and the row adds no image either"]


def test_the_image_with_the_lowest_position_is_the_products(tmp_path: Path) -> None:
    (product,) = read(
        write_products(
            tmp_path / "p.csv",
            {"Image Src": "/b.jpg", "Image Position": "2"},
            {"Title": "", "Option1 Value": "L", "Image Src": "/a.jpg", "Image Position": "1"},
            {"Title": "", "Option1 Value": "M", "Image Src": "/c.jpg", "Image Position": ""},
        )
    )
    assert product.image_url == "/a.jpg"


def test_columns_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    path = write_products(tmp_path / "p.csv", {}, columns=("Handle", "Variant SKU", "Variant Price"))
    path.write_text("Handle,Variant SKU,Variant Price\ncup,CUP,1\n")
    (product,) = read(path)
    assert (product.title, product.description, product.active) == (None, None, None)
    (variant,) = product.variants
    assert (variant.sku, variant.options, variant.quantity, variant.tax_class) == ("CUP", None, None, None)


def test_a_product_without_end_comes_in_parts(tmp_path: Path) -> None:
    rows = [{"Title": "Cup" if n == 0 else "", "Option1 Value": str(n)} for n in range(MAX_VARIANTS + 1)]
    first, second = read(write_products(tmp_path / "p.csv", *rows, columns=COLUMNS))
    assert (len(first.variants), len(second.variants), second.title) == (MAX_VARIANTS, 1, None)


@pytest.mark.parametrize(
    ("options", "sku"),
    [
        ((None, None, None), "herb-pot"),
        (("Large", "Dark Blue", None), "herb-pot-large-dark-blue"),
        (("Weiß", None, None), "herb-pot-wei-HASH"),
        (("赤", None, None), "herb-pot-HASH"),
        (("1/2", None, None), "herb-pot-1-2-HASH"),
    ],
)
def test_a_derived_sku_is_readable_and_marked_where_letters_are_lost(
    options: tuple[str | None, str | None, str | None], sku: str
) -> None:
    assert re.fullmatch(sku.replace("HASH", "[0-9a-f]{8}"), derived_sku("herb-pot", options))


option = st.one_of(st.none(), st.text(min_size=1, max_size=300))


@given(st.text(min_size=1, max_size=255), st.tuples(option, option, option), st.booleans())
def test_a_derived_sku_is_stable_fits_and_passes_an_url(
    handle: str, options: tuple[str | None, str | None, str | None], marked: bool
) -> None:
    sku = derived_sku(handle, options, marked=marked)
    assert sku == derived_sku(handle, options, marked=marked)
    assert 1 <= len(sku) <= 255
    assert set(sku) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("plain text,\nsecond line", "plain text,\nsecond line"),
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("a <b>bold</b>  word &amp; &euro;5 &lt;b&gt;", "a bold word & €5 <b>"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<script>alert('x')</script>safe<style>p{}</style>", "safe"),
        ("<svg><title>x</title></svg><iframe src=x>y</iframe>z", "z"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<p>unclosed <b>tag", "unclosed tag"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("a<!-- b --> c <!-- <p>d</p>", "a c"),
        ("<!--[if gte mso 9]><xml>x</xml><![endif]--><p><![if !supportLists]>- <![endif]>one</p><![", "- one"),
        ("<!DOCTYPE html><p>a</p><?xml b ?><!c>", "a"),
        ("", ""),
    ],
)
def test_html_becomes_text(html: str, plain: str) -> None:
    assert html_to_text(html) == plain


@given(st.text(alphabet="<>/&;abps![]?- \n\"'", max_size=80))
def test_no_html_breaks_the_reader(html: str) -> None:
    plain = html_to_text(html)
    assert plain == plain.strip()
    assert html_to_text(f"<p>before</p>{html}").startswith("before")
