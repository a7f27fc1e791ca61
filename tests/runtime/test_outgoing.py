"""Requests to URLs that others choose reach nobody who is not public, by no spelling and no trick."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from aiohttp import web

from checkout.runtime import outgoing
from checkout.runtime.outgoing import PUBLIC, Outgoing, Unreachable, UnsafeUrl, excerpt, is_public
from tests.support.http import steady_port

PRIVATE_ADDRESSES = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # metadata of the large clouds
    "100.100.100.200",  # Alibaba's
    "192.0.0.192",  # Oracle's
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",  # Amazon's
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo, of 127.0.0.1
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/",  # 127.0.0.1 in one number
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://①②⑦.⓪.⓪.①/",
        "https://localhost/",
        "https://LOCALHOST/",
    ],
)
async def test_private_by_any_spelling(url: str) -> None:
    for call in (PUBLIC.check(url), PUBLIC.post(url, b"{}", {})):
        with pytest.raises(UnsafeUrl):
            await call


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example/", "must begin with https://"),
        ("ftp://shop.example/", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("shop.example/hooks", "must begin with https://"),
        ("https:///hooks", "names no host"),
        ("https://ada:secret@shop.example/", "no user, password or fragment"),
        ("https://shop.example/#part", "no user, password or fragment"),
        ("https://shop.example/a b", "without blanks"),
        ("https://shop.example/\r\nHost: other", "without blanks"),
        ("https://shop.example:99999/", "is no URL"),
        (f"https://shop.example/{'x' * 3000}", "at most 2048 characters"),
        ("https://[::1/", "is no URL"),
    ],
)
async def test_no_url_to_send_to(url: str, said: str) -> None:
    with pytest.raises(UnsafeUrl, match=said):
        await PUBLIC.check(url)


Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Names(Outgoing):
    """A resolver that answers as told, and then otherwise."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        asked.append(host)
        answers = NAMES[host]
        return answers[min(asked.count(host), len(answers)) - 1]


asked: list[str] = []
NAMES: dict[str, list[list[str]]] = {
    "inside.example": [["127.0.0.1"]],
    "mixed.example": [["93.184.216.34", "10.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "rebinding.example": [["93.184.216.34"], ["127.0.0.1"]],
}


@pytest.mark.parametrize("host", ["inside.example", "mixed.example", "mapped.example"])
async def test_a_name_that_leads_inside(host: str) -> None:
    asked.clear()
    with pytest.raises(UnsafeUrl, match="not public"):
        await Names().check(f"https://{host}/")


async def test_a_name_that_changes_between_look_and_send_is_looked_at_again() -> None:
    asked.clear()
    await Names().check("https://rebinding.example/")
    with pytest.raises(UnsafeUrl, match="not public"):
        await Names().post("https://rebinding.example/", b"{}", {})


async def test_connected_to_what_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is asked for once; a name server that answers otherwise the next time is not asked a next time."""
    asked.clear()
    called: list[str] = []

    async def receive(request: web.BaseRequest) -> web.Response:
        called.append(request.host)
        return web.Response(text="taken")

    async with receiver(receive) as port:
        NAMES["once.example"] = [["127.0.0.1"], ["93.184.216.34"]]
        real = asyncio.get_running_loop().getaddrinfo

        async def no_names(host: str, *rest: object, **how: object) -> object:
            assert not any(letter.isalpha() for letter in host), f"{host} is resolved a second time"
            return await real(host, *rest, **how)  # type: ignore[arg-type]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_names)
        there = Names(allow_private=True, allow_http=True)
        answer = await there.post(f"http://once.example:{port}/", b"{}", {})
    assert (answer.status, answer.excerpt, asked) == (200, "taken", ["once.example"])
    assert called == [f"once.example:{port}"]


async def test_a_name_that_does_not_resolve_may_be_kept_and_is_unreachable() -> None:
    class Nobody(Outgoing):
        async def resolve(self, host: str, port: int) -> Sequence[str]:
            raise socket.gaierror

    await Nobody().check("https://soon.example/")
    with pytest.raises(Unreachable, match="does not resolve"):
        await Nobody().post("https://soon.example/", b"{}", {})


@contextlib.asynccontextmanager
async def receiver(handle: Handle) -> AsyncIterator[int]:
    """A server that answers as told; its port."""
    runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


ANYWHERE = Outgoing(allow_private=True, allow_http=True)


async def test_redirects_are_not_followed() -> None:
    called: list[str] = []

    async def redirect(request: web.BaseRequest) -> web.Response:
        called.append(request.path)
        return web.Response(status=302, headers={"Location": "/inside"})

    async with receiver(redirect) as port:
        answer = await ANYWHERE.post(f"http://127.0.0.1:{port}/hook", b"{}", {})
    assert (answer.status, called) == (302, ["/hook"])


async def test_a_receiver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "TIMEOUT", 0.3)

    async def hang(_: web.BaseRequest) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with receiver(hang) as port:
        with pytest.raises(Unreachable, match="no answer within"):
            await ANYWHERE.post(f"http://127.0.0.1:{port}/", b"{}", {})


async def test_an_answer_without_end_is_read_to_its_limit() -> None:
    async def talk(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                await response.write(b"x" * 65_536)
        return response

    async with receiver(talk) as port:
        answer = await ANYWHERE.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert (answer.status, len(answer.excerpt)) == (200, 500)


async def test_what_is_no_http_is_said() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match="no HTTP answer"):
            await ANYWHERE.post(f"http://127.0.0.1:{port}/", b"{}", {})
        with pytest.raises(Unreachable):
            await ANYWHERE.post(f"https://127.0.0.1:{port}/", b"{}", {})
    with pytest.raises(Unreachable, match="no connection"):
        await ANYWHERE.post(f"http://127.0.0.1:{steady_port()}/", b"{}", {})


def test_an_excerpt_is_one_line_that_the_database_takes() -> None:
    assert excerpt(b"out\x00of\r\norder\xff") == "out of order\N{REPLACEMENT CHARACTER}"
