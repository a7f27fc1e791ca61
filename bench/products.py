"""Products to sell while measuring, as a product export."""

import csv
from collections.abc import Iterable
from pathlib import Path

HEADER = ["Handle", "Title", "Variant SKU", "Variant Price", "Variant Inventory Qty"]


def write_products(path: Path, products: Iterable[tuple[str, int]]) -> Path:
    """A product export with these SKUs and units, each at 25.00."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows([sku.lower(), f"Product {sku}", sku, "25.00", units] for sku, units in products)
    return path
