"""Requests to addresses that others choose: only to public ones, each resolved once and connected to as resolved.

Whoever enters a webhook's URL could otherwise have the shop's own network called (server-side request forgery): the
rules follow OWASP's cheat sheet on it. A name is resolved here, all its addresses are looked at, and the connection is
made to those and no others, so that a second answer of its name server (DNS rebinding) is never asked for. Redirects
are not followed.
"""

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from checkout.runtime.settings import Settings

#: Seconds for all of a request: the name, the connection, the answer.
TIMEOUT = 10.0
#: Bytes of an answer that are read.
LONGEST_ANSWER = 64 * 1024
#: Characters of a URL.
LONGEST_URL = 2048
#: Characters of an answer that are kept.
EXCERPT = 500

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Protocol assignments; Oracle's metadata among them. Versions of Python differ on whether they are global.
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\uffff]+")


class UnsafeUrl(Exception):
    """Nothing is sent to this URL; ``str()`` says why, and what to do."""


class Unreachable(Exception):
    """No answer came: no such name, no connection, no time, no HTTP. Says what, in words of ours."""


@dataclass(frozen=True)
class Answered:
    """An answer: its status, what it began with, after so many milliseconds."""

    status: int
    excerpt: str
    milliseconds: int


@dataclass(frozen=True)
class Outgoing:
    """Where requests may go: not to private addresses and not without TLS, unless allowed."""

    allow_private: bool = False
    allow_http: bool = False

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name, by the system's resolver. Raises OSError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    def parse(self, text: str) -> URL:
        """A URL that is one to send to, as far as its words tell. Raises UnsafeUrl."""
        try:
            url = URL(text)
            host, port = url.host, url.port
        except ValueError:
            raise UnsafeUrl("is no URL; send one such as https://shop.example/hooks") from None
        if len(text) > LONGEST_URL or not text.isprintable() or " " in text:
            raise UnsafeUrl(f"must be at most {LONGEST_URL} characters, without blanks and control characters")
        if url.scheme not in ({"https", "http"} if self.allow_http else {"https"}):
            raise UnsafeUrl("must begin with https://")
        if not host or not port:
            raise UnsafeUrl("names no host; send one such as https://shop.example/hooks")
        if url.user is not None or url.password is not None or url.fragment:
            raise UnsafeUrl("must have no user, password or fragment; the signature tells the receiver who sends")
        last = host.rstrip(".").rpartition(".")[2]
        if ":" not in host and re.fullmatch(r"\d+|0x[0-9a-f]*", last, re.IGNORECASE | re.ASCII):
            try:
                ipaddress.IPv4Address(host)
            except ValueError:
                raise UnsafeUrl("has an address in another form than 203.0.113.7") from None
        return url

    async def check(self, text: str) -> None:
        """Look at a URL before it is kept; a name that does not resolve yet is let through. Raises UnsafeUrl."""
        url = self.parse(text)
        try:
            await self._addresses(url)
        except Unreachable:
            return

    async def post(self, text: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send it, and read what comes back, whatever the status. Raises UnsafeUrl, Unreachable."""
        url = self.parse(text)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                addresses = await self._addresses(url)
                status, said = await _post(url, addresses, body, headers)
        except TimeoutError:
            raise Unreachable(f"no answer within {TIMEOUT:g} s") from None
        return Answered(status, excerpt(said), round((time.monotonic() - begun) * 1000))

    async def _addresses(self, url: URL) -> Sequence[str]:
        host, port = url.host or "", url.port or 443
        try:
            async with asyncio.timeout(TIMEOUT / 2):
                found = [host] if _is_address(host) else await self.resolve(host, port)
        except TimeoutError:
            raise Unreachable("the name of the host was not resolved in time") from None
        except (OSError, UnicodeError):
            raise Unreachable("the name of the host does not resolve") from None
        if not self.allow_private and not all(is_public(address) for address in found):
            raise UnsafeUrl(
                "leads to an address that is not public: a private network, this machine, a cloud's metadata; "
                "CHECKOUT_WEBHOOK_ALLOW_PRIVATE allows it"
            )
        return found


#: Only to public addresses, only over TLS.
PUBLIC = Outgoing()


def outgoing_of(settings: Settings) -> Outgoing:
    """Where the settings let requests go."""
    return Outgoing(allow_private=settings.webhook_allow_private, allow_http=settings.webhook_allow_http)


def is_public(address: str) -> bool:
    """Whether an address is one of the internet at large; also an IPv4 address that an IPv6 one carries has to be."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return False
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if carried is None and (ip in _NAT64 or ip in _IPV4_COMPATIBLE):
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
    if isinstance(ip, ipaddress.IPv4Address) and ip in _PROTOCOLS:
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def excerpt(said: bytes) -> str:
    """The beginning of an answer as text on one line."""
    return _UNPRINTABLE.sub(" ", said.decode("utf-8", "replace")).strip()[:EXCERPT]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Resolved(AbstractResolver):
    """Answers what was resolved before, and asks nobody."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def _post(url: URL, addresses: Sequence[str], body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    connector = aiohttp.TCPConnector(resolver=_Resolved(addresses), use_dns_cache=False, force_close=True)
    # What is packed stays packed: a small answer may unpack to gigabytes.
    session = aiohttp.ClientSession(connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
    sent: Any = {"Accept-Encoding": "identity", **headers}
    try:
        async with session, session.post(url, data=body, headers=sent, allow_redirects=False) as response:
            said = b""
            while len(said) < LONGEST_ANSWER and (part := await response.content.read(LONGEST_ANSWER - len(said))):
                said += part
            return response.status, said
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unreachable(_what(error)) from None


def _what(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "the TLS certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    return f"no HTTP answer ({type(error).__name__})"
