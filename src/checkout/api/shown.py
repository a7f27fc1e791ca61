"""From what the store reads to what the API answers."""

from collections.abc import Mapping
from typing import Any

from checkout.api.models import carts as models
from checkout.store.carts import CartView


def cart_answer(view: CartView) -> models.Cart:
    """A cart at current prices."""
    pricing = view.pricing
    return models.Cart(
        id=view.id,
        currency=view.currency,
        email=view.email,
        lines=[
            models.PricedLine(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=priced.unit_price,
                sub_total=priced.sub_total,
                discount_total=priced.discount_total,
                tax_total=priced.tax_total,
                total=priced.total,
            )
            for line, priced in zip(view.lines, pricing.lines, strict=True)
        ],
        shipping_address=address_answer(view.shipping_address),
        billing_address=address_answer(view.billing_address),
        coupon_code=view.coupon_code,
        shipping_option=pricing.shipping_option,
        sub_total=pricing.sub_total,
        discount_total=pricing.discount_total,
        shipping_total=pricing.shipping_total,
        tax_total=pricing.tax_total,
        total=pricing.total,
        locked=view.locked,
        checkout_id=view.checkout_id,
        order_reference=view.order_reference,
        created_at=view.created_at,
        updated_at=view.updated_at,
    )


def address_answer(address: Mapping[str, Any] | None) -> models.ShownAddress | None:
    """An address, without what the store keeps beside it."""
    return None if address is None else required_address(address)


def required_address(address: Mapping[str, Any]) -> models.ShownAddress:
    """An address that is certainly there."""
    return models.ShownAddress.model_validate({name: address.get(name) for name in models.ShownAddress.model_fields})
