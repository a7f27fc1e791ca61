"""A cable to the database that can be pulled: a TCP proxy before a PostgreSQL server, in a thread of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict

from tests.support.http import steady_port

_CHUNK = 65536


class Cable:
    """Leads to a server until it is cut: from then on connections are refused, and those that were open are gone."""

    def __init__(self, database_url: str) -> None:
        self._to = {key: str(value) for key, value in conninfo_to_dict(database_url).items()}
        self.port = steady_port()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        """Where it is reached, as HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The libpq URI of the same database by way of the cable."""
        through = {**self._to, "host": "127.0.0.1", "port": str(self.port)}
        name = through.pop("dbname")
        return f"postgresql:///{name}?{urlencode(through)}"

    def cut(self) -> None:
        """Pull it."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result()

    def plug(self) -> None:
        """Put it back."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    @contextlib.contextmanager
    def plugged(self) -> Iterator["Cable"]:
        """Lead to the server while the context lasts, unless it is cut."""
        thread = threading.Thread(target=self._loop.run_forever, name="cable")
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
            yield self
            self.cut()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to.get("host", "127.0.0.1"), int(self._to.get("port", 5432))
        there = (
            asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            if host.startswith("/")
            else asyncio.open_connection(host, port)
        )
        back, onward = await there
        self._open |= {writer, onward}
        try:
            await asyncio.gather(_pump(reader, onward), _pump(back, writer))
        finally:
            self._open -= {writer, onward}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
