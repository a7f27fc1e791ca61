"""Identifiers: unguessable, readable, and each telling where it belongs.

A checkout's id embeds its cart's, so that the workflow of a checkout is found before its row exists.
"""

import hashlib
import secrets

#: Crockford's base 32 in lower case: no letter that is read for a digit.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _token(length: int, seed: str | None = None) -> str:
    """Random; with a ``seed``, the same each time for the same one."""
    if seed is None:
        return "".join(secrets.choice(_ALPHABET) for _ in range(length))
    digest = hashlib.sha512(seed.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:length])


def new_session_id() -> str:
    """A session: ``ses_`` and 130 random bits."""
    return f"ses_{_token(26)}"


def new_cart_id(seed: str | None = None) -> str:
    """A cart: ``cart_`` and 100 bits, random, or those of a request's ``seed``."""
    return f"cart_{_token(20, seed)}"


def new_checkout_id(cart_id: str, seed: str | None = None) -> str:
    """A checkout of the given cart: ``chk_``, the cart's part, ``_`` and 50 bits, random, or those of a ``seed``."""
    return f"chk_{cart_id.removeprefix('cart_')}_{_token(10, seed)}"


def cart_of(checkout_id: str) -> str | None:
    """The cart that a checkout's id names, or None when the id is none of ours."""
    kind, _, rest = checkout_id.partition("_")
    cart, _, attempt = rest.rpartition("_")
    return f"cart_{cart}" if kind == "chk" and cart and attempt else None


def new_attempt_id() -> str:
    """A payment attempt: ``pay_`` and 100 random bits."""
    return f"pay_{_token(20)}"


def new_order_reference() -> str:
    """An order: ``ORD-`` and 60 random bits in upper case, for e-mails and telephones."""
    return f"ORD-{_token(12).upper()}"


def refund_id(order_reference: str, key: str | None) -> str:
    """A refund of an order: ``rfd_``, and the same for the same idempotency key; without one, 100 random bits."""
    seed = None if key is None else f"{order_reference}\n{key}"
    return f"rfd_{_token(20, seed)}"


def refund_workflow_id(order_reference: str, refund_id: str) -> str:
    """The workflow of one refund."""
    return f"refund-{order_reference}-{refund_id.removeprefix('rfd_')}"


def unowed_workflow_id(payment_id: str) -> str:
    """The workflow that sends back what a bank sent to a payment and nobody owed: one for each payment."""
    return f"unowed-{payment_id}"


def event_id(name: str, checkout_id: str) -> str:
    """An event of a checkout: ``evt_``, and the same each time for the same one."""
    return f"evt_{_token(20, f'{name} {checkout_id}')}"


def repair_workflow_id(checkout_id: str) -> str:
    """The workflow that ends a checkout whose own is gone: one for each checkout."""
    return f"repair-{checkout_id}"


def workflow_id(cart_id: str) -> str:
    """The workflow of a cart's checkouts: one id for a cart, so that Temporal admits one running checkout."""
    return f"checkout-{cart_id}"
