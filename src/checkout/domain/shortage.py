"""Not enough stock, as two phases and the API say it."""

from dataclasses import asdict

from checkout.domain.allocation import Shortage
from checkout.domain.errors import DefiniteFailure

#: The code of a refusal for want of stock, whoever finds it.
INSUFFICIENT_STOCK = "insufficient_stock"


def insufficient_stock(shortage: Shortage) -> DefiniteFailure:
    """The failure that lists every short line: sku, requested, available."""
    skus = ", ".join(f"{line.sku} ({line.available} of {line.requested})" for line in shortage.lines)
    return DefiniteFailure(
        INSUFFICIENT_STOCK, f"not enough stock: {skus}", {"lines": [asdict(line) for line in shortage.lines]}
    )
