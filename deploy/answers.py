"""Exit code 0 when an address answers with 200: the containers' health check (the image has no curl)."""

import http.client
import sys

TIMEOUT_SECONDS = 3


def answers(host: str, port: int, path: str) -> bool:
    """Whether ``GET path`` gives 200."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers("127.0.0.1", int(sys.argv[1]), sys.argv[2]) else 1)
