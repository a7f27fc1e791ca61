"""The product CSV that Shopify exports, read into products with their variants. Pure: it knows no database.

Format: https://help.shopify.com/en/manual/products/import-export/using-csv. A product is a run of rows with one handle;
its first row has the title and what belongs to the product, and each row is a variant, an image, or both. Beyond
Shopify's columns an optional one of our own, ``Tax Class``, names the class of the tax rates.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from checkout.domain.currencies import currency_decimals
from checkout.domain.tax import STANDARD, ZERO, tax_classes
from checkout.store.importing import cells
from checkout.store.importing.cells import BadCell, optional
from checkout.store.importing.csvfile import CsvFile, Row
from checkout.store.importing.plaintext import html_to_text
from checkout.store.importing.report import BadRow

REQUIRED = ("Handle", "Variant Price")
OPTIONS = ("Option1 Value", "Option2 Value", "Option3 Value")
OPTIONAL = (
    "Title",
    "Body (HTML)",
    "Vendor",
    "Type",
    "Published",
    "Status",
    *OPTIONS,
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Qty",
    "Variant Taxable",
    "Tax Class",
    "Image Src",
    "Image Position",
    "Variant Image",
)
#: What a variant row has beside its handle; a row with an image and none of these only adds the image.
_OF_A_VARIANT = ("Title", *OPTIONS, "Variant SKU", "Variant Price", "Variant Inventory Qty")
#: Rows of one handle are handed on in parts of this many, so that no file needs more memory than that.
MAX_VARIANTS = 1_000

Options = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class VariantRecord:
    """A variant as a row has it; price in minor units. None: the file has no such column, what is stored stays."""

    line: int
    sku: str | None
    options: Options | None
    price: int
    quantity: int | None
    image_url: str | None
    weight_grams: int | None
    #: ``Variant Taxable`` and ``Tax Class``; see :meth:`tax_class_after`.
    taxable: bool | None
    tax_class: str | None

    def tax_class_after(self, stored: str) -> str:
        """The tax class beside the one that is stored: what the shop set is kept where the file does not say."""
        if self.taxable is False:
            return ZERO
        if self.tax_class is not None:
            return self.tax_class
        return STANDARD if self.taxable and stored == ZERO else stored


@dataclass(slots=True)
class ProductRecord:
    """A product, or a further part of it (then ``title`` is None); None: what is stored stays, as in the variants."""

    line: int
    handle: str
    title: str | None = None
    description: str | None = None
    vendor: str | None = None
    category: str | None = None
    active: bool | None = None
    image_url: str | None = None
    #: Position of ``image_url`` among the product's images; the one with the lowest is the product's.
    image_position: int = 0
    variants: list[VariantRecord] = field(default_factory=list)
    image_rows: int = 0
    rows: int = 0
    bad: list[BadRow] = field(default_factory=list)


def open_products(path: Path) -> CsvFile:
    """The export, its encoding, delimiter and header checked. Raises ImportRefused."""
    return CsvFile(path, required=REQUIRED, optional=OPTIONAL)


def read_products(file: CsvFile, currency: str) -> Iterator[ProductRecord]:
    """The products of a file, one by one, bad rows beside what is good of them.

    A row whose product part is bad still opens its product, with ``title`` None, so that its variants are taken where
    the shop knows the product already. Raises InvalidValue for an unknown currency.
    """
    currency_decimals(currency)
    product: ProductRecord | None = None
    for row in file.rows():
        if isinstance(row, BadRow):
            product = product or ProductRecord(row.line, "")
            product.bad.append(row)
            product.rows += 1
            continue
        handle = row.get("Handle").casefold()
        if product is not None and (handle != product.handle or len(product.variants) >= MAX_VARIANTS):
            yield product
            product = None
        if product is None:
            product = ProductRecord(row.line, handle)
        product.rows += 1
        try:
            _read_row(product, row, file.columns, currency)
        except BadCell as error:
            product.bad.append(BadRow(row.line, error.column, error.reason))
    if product is not None:
        yield product


def derived_sku(handle: str, options: Options, *, marked: bool = False) -> str:
    """The SKU of a variant whose row has none: its handle and options, so that every import derives the same.

    Where letters or signs are lost on the way, or with ``marked`` (another variant came to the same SKU), eight
    hexadecimal digits of a hash of handle and options set it apart.
    """
    words = [handle, *(option for option in options if option)]
    plain = [_plain(word) for word in words]
    sku = "-".join(word for word in plain if word)[: cells.MAX_NAME - 9].strip("-")
    exact = all(re.fullmatch(r"[A-Za-z0-9]+([ -][A-Za-z0-9]+)*", word) for word in words)
    if exact and not marked and len(sku) <= cells.MAX_NAME - 10:
        return sku
    digest = hashlib.sha256("\0".join((handle, *(option or "" for option in options))).encode()).hexdigest()[:8]
    return f"{sku}-{digest}" if sku else digest


def _plain(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def _read_row(product: ProductRecord, row: Row, columns: frozenset[str], currency: str) -> None:
    if not product.handle or product.line == row.line:
        cells.required_name(row, "Handle")
    if row.get("Title"):
        _read_product(product, row, columns)
    _read_image(product, row)
    if not any(row.get(column) for column in _OF_A_VARIANT):
        if row.get("Image Src"):
            product.image_rows += 1
            return
        raise BadCell("Variant Price", "is empty, and the row adds no image either")
    product.variants.append(_read_variant(row, columns, currency))


def _read_product(product: ProductRecord, row: Row, columns: frozenset[str]) -> None:
    title = cells.required_name(row, "Title")
    description = optional(columns, "Body (HTML)", lambda: html_to_text(row.get("Body (HTML)")))
    vendor = optional(columns, "Vendor", lambda: cells.name(row, "Vendor"))
    category = optional(columns, "Type", lambda: cells.name(row, "Type"))
    active = _active(row, columns)
    if product.title is None:  # files that repeat the title in every row mean the first
        product.title, product.description, product.vendor = title, description, vendor
        product.category, product.active = category, active


def _active(row: Row, columns: frozenset[str]) -> bool | None:
    """Whether it is sold: published, and of status active where the file has one."""
    published = optional(
        columns, "Published", lambda: cells.choice(row, "Published", {"true": True, "false": False, "": True})
    )
    status = optional(
        columns,
        "Status",
        lambda: cells.choice(
            row, "Status", {"active": True, "draft": False, "archived": False, "unlisted": True, "": True}
        ),
    )
    if published is None and status is None:
        return None
    return published is not False and status is not False


def _read_image(product: ProductRecord, row: Row) -> None:
    url = cells.image(row, "Image Src")
    if url is None:
        return
    position = cells.units(row, "Image Position") if row.get("Image Position") else 10**9
    if product.image_url is None or position < product.image_position:
        product.image_url, product.image_position = url, position


def _read_variant(row: Row, columns: frozenset[str], currency: str) -> VariantRecord:
    quantity = cells.units(row, "Variant Inventory Qty") if row.get("Variant Inventory Qty") else None
    return VariantRecord(
        line=row.line,
        sku=cells.name(row, "Variant SKU") or None,
        options=_options(row, columns),
        price=cells.price(row, "Variant Price", currency),
        quantity=quantity,
        image_url=optional(columns, "Variant Image", lambda: cells.image(row, "Variant Image")),
        weight_grams=optional(columns, "Variant Grams", lambda: cells.grams(row, "Variant Grams")),
        taxable=optional(
            columns,
            "Variant Taxable",
            lambda: cells.choice(row, "Variant Taxable", {"true": True, "false": False, "": True}),
        ),
        tax_class=optional(
            columns,
            "Tax Class",
            lambda: cells.choice(row, "Tax Class", {**{name: name for name in tax_classes()}, "": STANDARD}),
        ),
    )


def _options(row: Row, columns: frozenset[str]) -> Options | None:
    """The choice of options; a product without options has Shopify's ``Default Title`` as its only one."""
    if OPTIONS[0] not in columns:
        return None
    first, second, third = (cells.name(row, column) or None for column in OPTIONS)
    return (None if first == "Default Title" else first, second, third)
