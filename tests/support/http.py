"""Real HTTP servers beside the tests: each in a thread with an event loop of its own."""

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from checkout.cli.processes import KEEP_ALIVE


@contextlib.contextmanager
def serve(app: Any, port: int = 0) -> Iterator[str]:
    """Serve an ASGI application on 127.0.0.1 while the context lasts; gives its address. Port 0: any that is free.

    Answers that are under way at the end are cut off after a second.
    """
    # asyncio sets TCP_NODELAY only where the socket names its protocol; without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)  # who connects before the application is ready waits instead of being refused
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=KEEP_ALIVE,
            proxy_headers=False,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="http-server")
    thread.start()
    try:
        while not server.started:
            thread.join(0.005)
            if not thread.is_alive():
                raise RuntimeError("the server ended before it had started")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def steady_port() -> int:
    """A free port below those that the kernel hands out, so that nobody takes it while its server is away."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise RuntimeError("no free port between 20000 and 32000")
