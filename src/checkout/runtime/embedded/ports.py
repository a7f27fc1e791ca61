"""TCP ports of this machine: what keeps a server from one, and one that is free."""

import contextlib
import errno
import os
import socket


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``port`` now."""
    return obstacle(port, host) is None


def obstacle(port: int, host: str = "127.0.0.1") -> OSError | None:
    """Why no server could listen on ``port`` of ``host`` now, None where one could.

    EADDRINUSE: something does already, on this address or on all of them.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As servers do: a port whose last connections are still winding down is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    return None
