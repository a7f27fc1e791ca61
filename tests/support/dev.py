"""``checkout dev`` and other commands as users run them: real processes, free ports, a directory of their own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from checkout.runtime.embedded.account import Account
from checkout.runtime.embedded.process import ProcessKey, last_lines, launch
from tests.support.http import steady_port
from tests.support.servers import UNLIMITED

#: Seconds that anything may take here: generous, since nothing is asserted about time.
PATIENCE = 120.0
POLL = 0.05


def until(reached: Callable[[], object], complaint: str) -> None:
    """Return once ``reached()`` is true; fail with the complaint where it never is."""
    give_up = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < give_up, complaint
        time.sleep(POLL)


class Dev:
    """A ``checkout dev`` on ``directory/data``, which a test starts, kills and starts again."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = directory / "data"
        self.log = directory / "dev.log"
        http, gateway, temporal, ui = (steady_port() for _ in range(4))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")},
            **UNLIMITED,
            "CHECKOUT_DATA_DIR": str(self.data),
            "CHECKOUT_HTTP_PORT": str(http),
            "CHECKOUT_GATEWAY_PORT": str(gateway),
            "CHECKOUT_TEMPORAL_PORT": str(temporal),
            "CHECKOUT_TEMPORAL_UI_PORT": str(ui),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[ProcessKey] = set()

    def begin(self, account: Account | None = None) -> None:
        """Start it, and do not wait."""
        self._process = launch(
            [sys.executable, "-m", "checkout.cli.main", "dev"],
            log=self.log,
            environment=self.environment,
            account=account,
        )

    def start(self, account: Account | None = None) -> None:
        """Start it and wait until it says that all is ready. Fails with the end of its output where it ends."""
        self.begin(account)
        until(lambda: self.ended or self._says_ready(), "checkout dev was not ready")
        assert not self.ended, f"checkout dev ended:\n{self.said()}"
        self.processes()

    def _says_ready(self) -> bool:
        try:
            api = ProcessKey.of(self.pid("api"))
            return api is not None and api.process() is not None  # a killed run's file stays until the next begins
        except (OSError, ValueError):
            return False

    def wait(self) -> int:
        """Wait until it ends by itself; gives its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal and wait until it has ended; gives its exit code."""
        assert self._process is not None
        self.processes()
        self._process.send_signal(number)
        return self._process.wait(PATIENCE)

    def stop(self) -> None:
        """End it, however it stands."""
        if not self.ended:
            self.signal(signal.SIGTERM)

    @property
    def ended(self) -> bool:
        """Whether it does not run (any more)."""
        return self._process is None or self._process.poll() is not None

    @property
    def main_pid(self) -> int:
        """The pid of ``checkout dev`` itself."""
        assert self._process is not None
        return self._process.pid

    def said(self) -> str:
        """The end of its output."""
        return last_lines(self.log, 60)

    def described(self) -> dict[str, Any]:
        """What ``dev.json`` says now."""
        described: dict[str, Any] = json.loads((self.data / "dev.json").read_text(encoding="utf-8"))
        return described

    def pid(self, name: str) -> int:
        """The pid of a child now."""
        return int(self.described()[name]["pid"])

    def processes(self) -> set[ProcessKey]:
        """All processes that it has ever been seen to have, itself and theirs included."""
        with contextlib.suppress(psutil.Error):
            assert self._process is not None
            parent = psutil.Process(self._process.pid)
            for process in [parent, *parent.children(recursive=True)]:
                if (key := ProcessKey.of(process.pid)) is not None:
                    self._seen.add(key)
        return self._seen

    def left(self) -> list[str]:
        """The command lines of its processes that still run."""
        running = [process for key in self._seen if (process := key.process()) is not None]
        lines = []
        for process in running:
            with contextlib.suppress(psutil.Error):
                lines.append(" ".join(process.cmdline()))
        return lines

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a ``checkout`` command in the same environment."""
        return checkout(*arguments, environment=self.environment)


def checkout(*arguments: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a ``checkout`` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "checkout.cli.main", *arguments],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
