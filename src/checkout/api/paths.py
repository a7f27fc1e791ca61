"""What a path may name. Ids are looked up as they are; what no id can look like never reaches the database."""

from typing import Annotated, Any

from fastapi import Path


def _named(example: str, description: str) -> Any:
    # Control characters are refused with the whole path, before routing (see bodies.py).
    return Path(description=description, max_length=255, openapi_examples={"example": {"value": example}})


CartId = Annotated[str, _named("cart_4x8pk2mvq0tz9d3h7wca", "The cart's id")]
CheckoutId = Annotated[str, _named("chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy", "The checkout's id")]
Subject = Annotated[
    str, _named("chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy", "A checkout's id, a cart's id or an order's reference")
]
Reference = Annotated[str, _named("ORD-7K2M9QXW4T1B", "The order's reference")]
EndpointId = Annotated[str, _named("whe_5f1d7a9c0b3e8d2466a1c7f4", "The endpoint's id")]
DeliveryId = Annotated[str, _named("whd_0c9be1a7d25f4b6e8893d1aa", "The delivery's id")]
Sku = Annotated[str, _named("CUP-ESPRESSO-2", "The SKU; may contain slashes, percent-encoded")]
GatewayName = Annotated[str, _named("simulated", "The gateway: the shop's setting `PAYMENT_GATEWAY`")]
