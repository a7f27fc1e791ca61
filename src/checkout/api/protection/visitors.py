"""Who a request counts for: a customer or session, and an address."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from checkout.api.protection.addresses import hash_of, network_of
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
    return Visitor(kind, hash_of(secret_key, kind, name), hash_of(secret_key, "address", network_of(host)))


async def visitor(request: Request, session: CurrentSession, tokens: TokensDep) -> Visitor:
    """Who asks. The host is the peer's, or what a trusted proxy says of it (:class:`ProxyHeadersMiddleware`)."""
    host = None if request.client is None else request.client.host
    return visitor_of(session, host, tokens.secret_key)


VisitorDep = Annotated[Visitor, Depends(visitor)]
