"""What a path may name. Ids are looked up as they are; what no id can look like never reaches the database."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator

from checkout.api.models.base import refused

LONGEST = 255


def _lookup(value: str) -> str:
    if len(value) > LONGEST:
        raise refused(f"must have {LONGEST} characters at most")
    if not value.isprintable():
        raise refused("must have no control characters")
    return value


def _named(example: str, description: str) -> Any:
    return Path(description=description, examples=[example], openapi_examples={"example": {"value": example}})


CartId = Annotated[str, _named("cart_4x8pk2mvq0tz9d3h7wca", "The cart's id"), AfterValidator(_lookup)]
CheckoutId = Annotated[str, _named("chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy", "The checkout's id"), AfterValidator(_lookup)]
Reference = Annotated[str, _named("ORD-7K2M9QXW4T1B", "The order's reference"), AfterValidator(_lookup)]
Sku = Annotated[str, _named("MUG-BLUE", "The SKU; may contain slashes, percent-encoded"), AfterValidator(_lookup)]
