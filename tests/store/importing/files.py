"""Small CSV files for the importers."""

import csv
from collections.abc import Sequence
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
COLUMNS = (
    "Handle",
    "Title",
    "Option1 Value",
    "Variant SKU",
    "Variant Inventory Qty",
    "Variant Price",
    "Image Src",
)
#: A cell of a variant that nothing is wrong with, by column.
GOOD = {
    "Handle": "cup",
    "Title": "Cup",
    "Option1 Value": "Default Title",
    "Variant SKU": "",
    "Variant Inventory Qty": "5",
    "Variant Price": "9.99",
    "Image Src": "",
}


def write_products(path: Path, *rows: dict[str, str], columns: Sequence[str] = COLUMNS) -> Path:
    """A product file whose rows differ from a good one as given; the first data row is in line 2."""
    names = [*columns, *{name: None for row in rows for name in row if name not in columns}]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**GOOD, **row} for row in rows)
    return path


def write_stock(path: Path, *rows: tuple[str, str, str]) -> Path:
    """A stock file."""
    path.write_text("\n".join(["sku,warehouse,quantity", *(",".join(row) for row in rows)]) + "\n")
    return path
