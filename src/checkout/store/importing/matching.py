"""Which stored product and variant a record of an import means, and what is to change of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from checkout.domain.tax import STANDARD
from checkout.store.importing.report import BadRow
from checkout.store.importing.shopify import Options, ProductRecord, VariantRecord, derived_sku

NO_OPTIONS: Options = (None, None, None)


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """A product as the database has it; ``values`` by column."""

    id: int
    handle: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredVariant:
    """A variant as the database has it; ``values`` by column."""

    id: int
    product_id: int
    product_handle: str
    sku: str
    options: Options
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database knows of a batch: its products, and all variants of these products or with its SKUs."""

    products: Mapping[str, StoredProduct]
    variants: Sequence[StoredVariant]


@dataclass(frozen=True, slots=True)
class ProductMatch:
    """A product to be: ``id`` None creates it; ``values`` is the whole row."""

    id: int | None
    handle: str
    values: dict[str, Any]
    changed: bool


@dataclass(frozen=True, slots=True)
class VariantMatch:
    """A variant to be: ``id`` None creates it; ``values`` is the whole row but for its product."""

    id: int | None
    handle: str
    sku: str
    record: VariantRecord
    values: dict[str, Any]
    changed: bool


@dataclass(slots=True)
class Match:
    """What a batch comes to."""

    products: list[ProductMatch] = field(default_factory=list)
    variants: list[VariantMatch] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


class _Mismatch(Exception):
    """A variant that cannot be taken: the column at fault and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def match_batch(
    batch: Sequence[ProductRecord], stored: Stored, lines_by_sku: dict[str, int], columns: frozenset[str]
) -> Match:
    """What is to change for a batch. ``lines_by_sku`` says in which line of the file a SKU was seen, and learns it."""
    matcher = _Matcher(stored, lines_by_sku)
    match = Match()
    for record in batch:
        product = stored.products.get(record.handle)
        if product is None and record.title is None:
            match.bad += [
                BadRow(
                    variant.line,
                    "Title",
                    f"no product {record.handle!r} is known, and no good row of it in the file has a title",
                )
                for variant in record.variants
            ]
            continue
        variants = []
        for variant in record.variants:
            try:
                variants.append(matcher.match(record.handle, product, variant))
            except _Mismatch as error:
                match.bad.append(BadRow(variant.line, error.column, error.reason))
        if variants or product is not None:
            match.products.append(_product(record, product, columns))
        match.variants += variants
    return match


def skus_of(batch: Sequence[ProductRecord]) -> list[str]:
    """Every SKU that a batch has or may derive: whose owner has to be known."""
    skus: set[str] = set()
    for record in batch:
        for variant in record.variants:
            if variant.sku is not None:
                skus.add(variant.sku)
            else:
                options = variant.options or NO_OPTIONS
                skus |= {derived_sku(record.handle, options), derived_sku(record.handle, options, marked=True)}
    return sorted(skus)


class _Matcher:
    def __init__(self, stored: Stored, lines_by_sku: dict[str, int]) -> None:
        self._by_sku = {variant.sku: variant for variant in stored.variants}
        self._by_options: dict[tuple[int, Options], StoredVariant] = {}
        for variant in sorted(stored.variants, key=lambda variant: -variant.id):
            self._by_options[variant.product_id, variant.options] = variant
        self._lines_by_sku = lines_by_sku
        self._lines_by_id: dict[int, int] = {}
        self._lines_by_options: dict[tuple[str, Options], int] = {}

    def match(self, handle: str, product: StoredProduct | None, record: VariantRecord) -> VariantMatch:
        options = record.options or NO_OPTIONS
        same = self._by_options.get((product.id, options)) if product is not None else None
        if record.sku is not None:
            found = self._by_sku.get(record.sku)
            if found is None and same is not None and same.sku in _derived(handle, options):
                found = same  # the shop has given it a SKU since
            sku = record.sku
        else:
            first = self._lines_by_options.setdefault((handle, options), record.line)
            if first != record.line:
                raise _Mismatch("Option1 Value", f"the same options as in line {first}, and no SKU to tell them apart")
            found = same
            sku = same.sku if same is not None else self._derive(handle, options, record.line)
        if found is not None and (product is None or found.product_id != product.id):
            raise _Mismatch("Variant SKU", f"{sku!r} belongs to the product {found.product_handle!r}")
        first = self._lines_by_sku.setdefault(sku, record.line)
        if found is not None and first == record.line:
            first = self._lines_by_id.setdefault(found.id, record.line)
        if first != record.line:
            column = "Variant SKU" if record.sku is not None else "Option1 Value"
            raise _Mismatch(column, f"the same variant as in line {first} ({sku})")
        return _variant(handle, sku, record, found)

    def _derive(self, handle: str, options: Options, line: int) -> str:
        for sku in _derived(handle, options):
            if sku not in self._by_sku and self._lines_by_sku.get(sku, line) == line:
                return sku
        # Both are taken: by the same variant further up in the file, which the caller finds out.
        return derived_sku(handle, options, marked=True)


def _derived(handle: str, options: Options) -> tuple[str, str]:
    return derived_sku(handle, options), derived_sku(handle, options, marked=True)


def _product(record: ProductRecord, stored: StoredProduct | None, columns: frozenset[str]) -> ProductMatch:
    before = stored.values if stored is not None else {}
    said = {
        "title": record.title,
        "description": record.description,
        "vendor": record.vendor,
        "category": record.category,
        "active": record.active,
    }
    new = {"title": "", "description": "", "vendor": "", "category": "", "active": True, "image_url": None}
    values = {**new, **before, **{column: value for column, value in said.items() if value is not None}}
    if record.image_url is not None or (record.title is not None and "Image Src" in columns):
        # A later part of a product has later images: the product's own is not among them.
        later = record.title is None and values["image_url"] is not None
        values["image_url"] = values["image_url"] if later else record.image_url
    return ProductMatch(stored.id if stored is not None else None, record.handle, values, values != before)


def _variant(handle: str, sku: str, record: VariantRecord, stored: StoredVariant | None) -> VariantMatch:
    before = {**stored.values, "sku": stored.sku} if stored is not None else {}
    values = {"title": "", "option1": None, "option2": None, "option3": None, "weight_grams": 0, "image_url": None}
    values |= {**before, "sku": sku}
    if record.options is not None:
        values |= dict(zip(("option1", "option2", "option3"), record.options, strict=True))
        values["title"] = " / ".join(option for option in record.options if option)
    if record.weight_grams is not None:
        values["weight_grams"] = record.weight_grams
    if record.image_url is not None:
        values["image_url"] = record.image_url
    values["tax_class"] = record.tax_class_after(before.get("tax_class", STANDARD))
    return VariantMatch(stored.id if stored is not None else None, handle, sku, record, values, values != before)
