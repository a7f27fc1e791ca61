"""The codes of all problems with status and title. ``docs/http.md`` explains them; a test holds the two together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What all problems of a code share."""

    status: int
    title: str


KINDS: dict[str, Kind] = {
    # The request itself.
    "malformed_json": Kind(400, "Malformed JSON"),
    "validation_failed": Kind(422, "Invalid request"),
    "card_number_refused": Kind(422, "Card numbers are not taken"),
    "idempotency_key_reused": Kind(422, "Idempotency-Key reused"),
    "idempotency_key_in_use": Kind(409, "Idempotency-Key in use"),
    "body_too_large": Kind(413, "Body too large"),
    "route_not_found": Kind(404, "No such route"),
    "method_not_allowed": Kind(405, "Method not allowed"),
    # Who asks.
    "token_missing": Kind(401, "Token missing"),
    "token_invalid": Kind(401, "Token invalid"),
    "token_expired": Kind(401, "Token expired"),
    "metrics_token_invalid": Kind(401, "Metrics token invalid"),
    "session_required": Kind(403, "Session token needed"),
    "customer_required": Kind(403, "Customer's token needed"),
    "admin_required": Kind(403, "Admin token needed"),
    "operator_required": Kind(403, "Operator's role needed"),
    # How often, and how much at once.
    "rate_limited": Kind(429, "Too many requests"),
    "too_many_checkouts": Kind(429, "Too many checkouts"),
    # What is asked for.
    "sku_not_found": Kind(404, "SKU not found"),
    "cart_not_found": Kind(404, "Cart not found"),
    "checkout_not_found": Kind(404, "Checkout not found"),
    "order_not_found": Kind(404, "Order not found"),
    "webhook_not_found": Kind(404, "No such webhook endpoint"),
    "webhook_delivery_not_found": Kind(404, "No such webhook delivery"),
    "gateway_not_found": Kind(404, "No such payment gateway"),
    "signature_invalid": Kind(400, "Signature invalid"),
    # The cart.
    "cart_locked": Kind(423, "Cart locked"),
    "cart_ordered": Kind(409, "Cart is an order"),
    "cart_full": Kind(422, "Cart full"),
    # The checkout.
    "checkout_in_progress": Kind(409, "Checkout in progress"),
    "checkout_closing": Kind(409, "Checkout closing"),
    "checkout_cancelled": Kind(409, "Checkout cancelled"),
    "checkout_expired": Kind(410, "Checkout expired"),
    "not_payable": Kind(409, "Not payable"),
    "not_extendable": Kind(409, "Not extendable"),
    "payment_in_progress": Kind(409, "Payment in progress"),
    "payment_declined": Kind(402, "Payment declined"),
    "payment_not_processed": Kind(402, "Payment not processed"),
    "total_mismatch": Kind(409, "Total differs"),
    "checkout_busy": Kind(503, "Checkout busy"),
    "too_late": Kind(409, "Too late to cancel"),
    # A refund after the sale.
    "order_not_paid": Kind(409, "Order not paid"),
    "order_cancelled": Kind(409, "Order cancelled"),
    "nothing_to_refund": Kind(409, "Nothing to refund"),
    "refund_exceeds_capture": Kind(409, "More than was captured"),
    "refund_exceeds_order": Kind(409, "More than was ordered"),
    "refund_amount_differs": Kind(422, "Amount differs from the lines"),
    "refund_refused": Kind(409, "Refund refused"),
    # What ops do about it.
    "not_refused": Kind(409, "Not refused by the gateway"),
    "too_many_webhooks": Kind(409, "Too many webhook endpoints"),
    "nothing_to_retry": Kind(409, "Nothing to retry"),
    "workflow_gone": Kind(409, "Workflow gone"),
    # What is away.
    "database_unavailable": Kind(503, "Database unavailable"),
    "temporal_unavailable": Kind(503, "Temporal unavailable"),
    "not_ready": Kind(503, "Not ready"),
    "unhealthy": Kind(503, "Unhealthy"),
    "internal_error": Kind(500, "Internal error"),
    # A phase failed, the cart is open again.
    "empty_cart": Kind(422, "Empty cart"),
    "email_missing": Kind(422, "E-mail missing"),
    "address_missing": Kind(422, "Address missing"),
    "sku_unavailable": Kind(422, "SKU unavailable"),
    "insufficient_stock": Kind(422, "Not enough stock"),
    "price_missing": Kind(422, "Price missing"),
    "no_shipping": Kind(422, "No shipping"),
    "shipping_option_unavailable": Kind(422, "Shipping option unavailable"),
    "amount_too_large": Kind(422, "Amount too large"),
    "coupon_unknown": Kind(422, "Coupon unknown"),
    "coupon_not_yet_valid": Kind(422, "Coupon not yet valid"),
    "coupon_expired": Kind(422, "Coupon expired"),
    "coupon_used_up": Kind(422, "Coupon used up"),
    "coupon_used_up_by_customer": Kind(422, "Coupon used up by the customer"),
    "coupon_below_minimum": Kind(422, "Below the coupon's minimum"),
    "coupon_wrong_currency": Kind(422, "Coupon in another currency"),
    "coupon_not_combinable": Kind(422, "Coupon not combinable"),
    "coupon_not_applicable": Kind(422, "Coupon not applicable"),
    "pricing_impossible": Kind(422, "Pricing impossible"),
    "reservation_missing": Kind(422, "Reservation missing"),
    "capture_refused": Kind(422, "Capture refused"),
    "captured_amount_differs": Kind(422, "Captured amount differs"),
    "payment_authorization_timed_out": Kind(422, "Authorization timed out"),
    "payment_capture_timed_out": Kind(422, "Capture timed out"),
    "gateway_refused": Kind(422, "Payment gateway refused"),
    "funds_refused": Kind(422, "Bank transfer refused"),
    "authorized_amount_differs": Kind(422, "Authorized amount differs"),
    "checkout_failed": Kind(422, "Checkout failed"),
    "workflow_terminated": Kind(422, "Checkout terminated"),
}

#: A phase's failure whose code has no entry of its own.
PHASE_FAILED = Kind(422, "Checkout failed")


#: Failures of a phase that say something about the cart, not about what is in it; every other one is 422.
_FAILURE_STATUS = {"cart_not_found": 404, "cart_ordered": 409, "checkout_closing": 409, "checkout_in_progress": 409}


def failure_status(code: str) -> int:
    """The status of a phase's failure; ``total_mismatch`` for one is 422 there, and 409 where nothing was started."""
    return _FAILURE_STATUS.get(code, 422)


def kind_of(code: str) -> Kind:
    """Status and title of a code; 422 for a code that only a phase knows."""
    return KINDS.get(code, PHASE_FAILED)
