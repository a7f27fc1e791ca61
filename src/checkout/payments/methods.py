"""What a buyer may pay with at a gateway, and what a token of it looks like: checked before anything is stored.

A token that cannot be the gateway's (a typing mistake, one that another gateway made) is the storefront's fault and is
refused as bad input: it costs the buyer none of his attempts, and never leaves the shop.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to pay. ``token``: what the whole token must match; None for a method that takes no token.

    ``example`` is a token for people to try, named where one is refused.
    """

    name: str
    token: re.Pattern[str] | None = None
    example: str | None = None


class BadPayment(ValueError):
    """A payment that the gateway cannot take: the field at fault, and a sentence that says what would be right."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


def check_payment(methods: Iterable[Method], method: str, token: str | None) -> None:
    """Raise BadPayment where the gateway has no such method, or the token cannot be one of the method's.

    Asks no gateway: a token that looks right may still be unknown there, which is a decline.
    """
    offered = {one.name: one for one in methods}
    if method not in offered:
        raise BadPayment("method", f"must be {' or '.join(offered)}")
    wanted = offered[method]
    if wanted.token is None:
        if token is not None:
            raise BadPayment("token", f"must be left out: {method} takes none")
        return
    if token is None:
        raise BadPayment("token", f"is required: the one that the payment gateway made, such as {wanted.example}")
    if not wanted.token.fullmatch(token):
        raise BadPayment("token", f"must be one that the shop's payment gateway made, such as {wanted.example}")
