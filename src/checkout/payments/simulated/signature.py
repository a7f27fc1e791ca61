"""How the simulated gateway signs what it sends to a shop, and how the shop checks it.

``Gateway-Signature: t=<unix seconds>,v1=<hex>``, where v1 is HMAC-SHA256 with the shared secret over ``<t>.<body>``.
The header may carry several v1 (while a secret is being changed); one that is right will do.
"""

import hashlib
import hmac
import time

from checkout.payments.events import TOLERANCE, BadSignature

HEADER = "Gateway-Signature"


def sign(secret: str, body: bytes, at: int | None = None) -> str:
    """The header's value for a body that is sent at ``at`` (unix seconds, now by default)."""
    moment = int(time.time()) if at is None else at
    return f"t={moment},v1={_digest(secret, moment, body)}"


def verify(secret: str, body: bytes, header: str | None, *, now: float | None = None) -> None:
    """Raise BadSignature unless the header signs this body with this secret, at most ``TOLERANCE`` seconds from now."""
    if not header:
        raise BadSignature(f"the header {HEADER} is missing")
    parts = [part.strip().partition("=") for part in header.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    digests = [value for name, _, value in parts if name == "v1"]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdecimal() and len(moments[0]) < 16):
        raise BadSignature(f"the header {HEADER} has no time")
    moment = int(moments[0])
    right = _digest(secret, moment, body).encode()
    if not any(hmac.compare_digest(digest.encode(), right) for digest in digests):
        raise BadSignature("the signature is not right")
    # Only after the digest: a time that nobody signed says nothing.
    if abs((time.time() if now is None else now) - moment) > TOLERANCE:
        raise BadSignature(f"the signature is more than {TOLERANCE} s away from now")


def _digest(secret: str, moment: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
