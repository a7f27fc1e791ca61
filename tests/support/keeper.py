"""Keeps one server for a test session: ``python -m tests.support.keeper KIND DIRECTORY PID STARTED``.

The first test that needs a server starts its keeper, whichever xdist worker that is; all workers then share it. It
ends when the session's first process, PID, does, also by ``kill -9``: the keeper looks for it, and the server has the
kernel's parent-death signal from the keeper.
"""

import json
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Protocol

from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.ports import free_port
from checkout.runtime.embedded.postgres import VOLATILE, EmbeddedPostgres
from checkout.runtime.embedded.process import ProcessKey
from checkout.runtime.embedded.temporal import PAUSING, TIME_SKIPPING, EmbeddedTemporal

SECONDS_BETWEEN_LOOKS = 0.2
#: Several shops at once are on one server, each xdist worker's own.
CONFIGURATION = {**VOLATILE, "max_connections": "500"}


class Server(Protocol):
    """A server as a keeper sees it."""

    @property
    def pid(self) -> int | None:
        """Its pid while it runs."""

    def stop(self) -> None:
        """End it."""


def _server(kind: str, directory: Path) -> tuple[Server, dict[str, str]]:
    log = directory / "server.log"
    if kind == "container":
        # Here, because it takes the other keepers half a second to import what they do not use.
        from tests.support import container

        return container.start(CONFIGURATION)
    if kind == "postgres":
        postgres = EmbeddedPostgres(directory, log=log, configuration=CONFIGURATION)
        postgres.start()
        postgres.wait_ready()
        return postgres, {"uri": postgres.uri()}
    temporal = EmbeddedTemporal(None, log=log, port=free_port(), dynamic_configuration=[TIME_SKIPPING, PAUSING])
    temporal.start()
    temporal.wait_ready()
    return temporal, {"address": temporal.address}


def _write(directory: Path, answer: dict[str, str]) -> None:
    making = directory / "answer.making"
    making.write_text(json.dumps(answer))
    making.rename(directory / "answer.json")


class _Asked(Exception):
    """The session has ended."""


def _asked(number: int, frame: FrameType | None) -> None:
    raise _Asked


def main(kind: str, directory: Path, owner: ProcessKey) -> None:
    """Start the server, say where it is in ``answer.json``, and keep it until the owner is gone or SIGTERM comes."""
    signal.signal(signal.SIGTERM, _asked)
    server: Server | None = None
    try:
        server, answer = _server(kind, directory)
        _write(directory, answer)
        while owner.process() is not None and server.pid is not None:
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except ServerFault as fault:
        _write(directory, {"fault": str(fault)})
    except _Asked:
        pass
    finally:
        if server is not None:
            server.stop()
        if owner.process() is None:
            shutil.rmtree(directory.parent, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), ProcessKey(int(sys.argv[3]), float(sys.argv[4])))
