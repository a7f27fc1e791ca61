"""Who a request counts for: a customer or session, and an address. Both are kept as keyed hashes alone."""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from checkout.api.security import CurrentSession, Session, TokensDep


@dataclass(frozen=True)
class Visitor:
    """A caller as limits know him. ``kind`` is ``customer`` where one is signed in, else ``session``."""

    kind: str
    #: The customer or session, and the address: hashes that only the holder of the secret key can make.
    subject: str
    address: str


def visitor_of(session: Session, host: str | None, secret_key: str) -> Visitor:
    """The visitor behind a session's request from a host's address, None where that is not known."""
    kind, name = ("session", session.id) if session.customer_id is None else ("customer", session.customer_id)
    return Visitor(kind, _hash(secret_key, kind, name), _hash(secret_key, "address", network_of(host)))


def network_of(host: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 that a provider gives to one IPv6 customer."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _hash(secret_key: str, kind: str, name: str) -> str:
    # The key signs tokens too; nothing that is signed there begins with these words.
    return hmac.new(secret_key.encode(), f"limits {kind} {name}".encode(), hashlib.sha256).hexdigest()[:32]


async def visitor(request: Request, session: CurrentSession, tokens: TokensDep) -> Visitor:
    """Who asks. The host is the peer's, or what a trusted proxy says of it (:class:`ProxyHeadersMiddleware`)."""
    host = None if request.client is None else request.client.host
    return visitor_of(session, host, tokens.secret_key)


VisitorDep = Annotated[Visitor, Depends(visitor)]
