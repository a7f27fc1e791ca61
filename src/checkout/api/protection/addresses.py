"""What counts as one address, and how customers, sessions and addresses are kept: as keyed hashes alone."""

import hashlib
import hmac
import ipaddress


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


def hash_of(secret_key: str, kind: str, name: str) -> str:
    """What stands for a customer, a session or an address: only the holder of the secret key can make it."""
    # The key signs tokens too; nothing that is signed there begins with these words.
    return hmac.new(secret_key.encode(), f"limits {kind} {name}".encode(), hashlib.sha256).hexdigest()[:32]
