"""The tables of the shop (SQLModel). The migrations make them; a test holds the two together."""

from checkout.store.tables.admin import AdminAction
from checkout.store.tables.base import Table
from checkout.store.tables.carts import Cart, CartAddress, CartLine, CartReminder
from checkout.store.tables.catalogue import Price, Product, Variant
from checkout.store.tables.checkouts import Checkout, CheckoutStep
from checkout.store.tables.counts import MinuteCount
from checkout.store.tables.gateway import GatewayEvent, UnowedMoney
from checkout.store.tables.idempotency import IdempotencyKey
from checkout.store.tables.limits import CheckoutPlace, RateLimitHits
from checkout.store.tables.orders import Order, OrderLine
from checkout.store.tables.payments import PaymentAttempt
from checkout.store.tables.prices import PriceChange, PriceSnapshot, PriceSnapshotLine
from checkout.store.tables.promotions import Coupon, CouponRedemption, Promotion, PromotionRedemption
from checkout.store.tables.refunds import Refund
from checkout.store.tables.stock import Reservation, Stock, StockMovement, Warehouse
from checkout.store.tables.tax_shipping import ExchangeRate, ShippingOption, TaxRate
from checkout.store.tables.webhooks import ListenerTrouble, WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "AdminAction",
    "Cart",
    "CartAddress",
    "CartLine",
    "CartReminder",
    "Checkout",
    "CheckoutPlace",
    "CheckoutStep",
    "Coupon",
    "CouponRedemption",
    "ExchangeRate",
    "GatewayEvent",
    "IdempotencyKey",
    "ListenerTrouble",
    "MinuteCount",
    "Order",
    "OrderLine",
    "PaymentAttempt",
    "Price",
    "PriceChange",
    "PriceSnapshot",
    "PriceSnapshotLine",
    "Product",
    "Promotion",
    "PromotionRedemption",
    "RateLimitHits",
    "Refund",
    "Reservation",
    "ShippingOption",
    "Stock",
    "StockMovement",
    "Table",
    "TaxRate",
    "UnowedMoney",
    "Variant",
    "Warehouse",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
]
