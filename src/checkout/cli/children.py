"""The children of ``checkout dev``: where they keep things, our own processes, and what a killed run left."""

import contextlib
import json
import os
import signal
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.process import ManagedProcess, ProcessKey, end_all, launch
from checkout.runtime.stack import write_private

#: A log that has grown beyond this is put aside at the next start (bytes); one older one is kept.
LOG_LIMIT = 10_000_000

_RECORD = "children.json"


@dataclass(frozen=True)
class Directories:
    """``DATA_DIR`` and what is in it."""

    data: Path

    @classmethod
    def make(cls, data: Path) -> Self:
        """Make what is missing. Raises ServerFault where that is impossible."""
        directories = cls(data.absolute())
        try:
            if not directories.data.exists():
                directories.data.mkdir(parents=True)
                # PostgreSQL runs as another user where we are root, and has to pass; the files in it are private.
                directories.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for name in ("logs", "temporal"):
                (directories.data / name).mkdir(mode=0o700, exist_ok=True)
            for each in (directories.data, directories.data / "logs", directories.data / "temporal"):
                with tempfile.TemporaryFile(dir=each):  # refused where another user has made it
                    pass
        except OSError as error:
            raise ServerFault(f"CHECKOUT_DATA_DIR is {str(data)!r}, which cannot be used: {error.strerror}") from error
        return directories

    def log(self, name: str) -> Path:
        """The log of a child."""
        log = self.data / "logs" / f"{name}.log"
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > LOG_LIMIT:
                log.replace(log.with_suffix(".log.1"))
        return log


class PythonProcess(ManagedProcess):
    """A command of ours as a child: ``checkout api`` and the like.

    ``environment`` is asked at every start. It is ready when ``url`` answers with 200, or when it wrote ``ready_file``;
    without either it is a job that ends.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        *,
        environment: Callable[[], Mapping[str, str]],
        url: str | None = None,
        ready_file: Path | None = None,
    ) -> None:
        super().__init__(name, log)
        self._arguments, self._environment, self._url, self._ready_file = arguments, environment, url, ready_file

    def start(self) -> None:
        """Start it. Raises ServerFault where that is impossible."""
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
        try:
            self.process = launch(
                [sys.executable, "-m", "checkout.cli.main", *self._arguments],
                log=self.log,
                environment={**os.environ, **self._environment()},
            )
        except OSError as error:
            raise ServerFault(f"{self.name} cannot be started: {error}") from error

    @property
    def announced(self) -> str:
        """What ``ready_file`` says, nothing while it is not there."""
        try:
            return "" if self._ready_file is None else self._ready_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def is_ready(self) -> bool:
        """Whether it answers, or has said that it is ready."""
        if self._ready_file is not None:
            return self._ready_file.exists()
        return self._url is not None and answers(self._url)


def answers(url: str, seconds: float = 0.5) -> bool:
    """Whether ``url`` gives 200 within so many seconds; few, because the other children are not looked at meanwhile."""
    try:
        with urllib.request.urlopen(url, timeout=seconds):  # noqa: S310 - an address of ours
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def record(directories: Directories, children: Iterable[ManagedProcess]) -> None:
    """Write down which processes are ours, so that the next start knows them again after a kill."""
    keys = [(child.name, ProcessKey.of(child.pid)) for child in children if child.pid is not None]
    running = [{"name": name, **asdict(key)} for name, key in keys if key is not None]
    write_private(directories.data / _RECORD, {"children": running})


def end_leftovers(directories: Directories) -> list[str]:
    """End what a ``checkout dev`` that was killed left running here; gives their names.

    Linux lets no child outlive its parent (see ``launch``): this is for other systems. Call it while holding the
    directory's lock, so that nothing that is recorded can belong to a ``checkout dev`` that runs.
    """
    try:
        recorded = json.loads((directories.data / _RECORD).read_text(encoding="utf-8"))["children"]
        keys = [(str(entry["name"]), ProcessKey(int(entry["pid"]), float(entry["started"]))) for entry in recorded]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    left = [(name, process) for name, key in keys if (process := key.process()) is not None]
    end_all([process for _, process in left], signal.SIGTERM, 5)
    return [name for name, _ in left]
