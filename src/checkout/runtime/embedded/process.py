"""Child processes that end with their parent, and processes known again by pid and start time."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import psutil

from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.account import Account

_LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True)
class ProcessKey:
    """A process for certain: a pid is used again, but not with the same start time (seconds since the epoch)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The key of a process that runs, None where none has this pid."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """The process while it runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            # Two clock readings of the same start may differ in the last digits after the wall clock was set.
            same = abs(process.create_time() - self.started) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def launch(
    program: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    account: Account | None = None,
) -> "subprocess.Popen[bytes]":
    """Start ``program`` in a session of its own, its output appended to ``log``.

    The kernel sends it ``death_signal`` when the calling *thread* ends, however that comes about: call this from the
    main thread. (Only Linux does so; elsewhere what a killed parent left is ended at the next start.) A session of its
    own keeps a terminal's Ctrl-C away, so that the parent decides in which order its children stop.
    """
    become, capability = account.launch_arguments() if account else ("-", "-")
    with log.open("ab") as output:
        return subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", _LAUNCHER),
                *(str(os.getpid()), str(int(death_signal)), become, capability),
                *("--", *program),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            start_new_session=True,
        )


class ManagedProcess(ABC):
    """A child process that is started, becomes ready, and is stopped: a server, or one of our own processes.

    Call ``start`` from the main thread (see ``launch``), then ``wait_ready``, or ``is_ready`` again and again.
    """

    #: What ``stop`` sends, each with the seconds that it may take; SIGKILL comes last.
    stop_signals: ClassVar[Sequence[tuple[signal.Signals, float]]] = ((signal.SIGTERM, 10),)

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._asked = False

    @abstractmethod
    def start(self) -> None:
        """Start it. Raises ServerFault where that is impossible."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers now."""

    @property
    def pid(self) -> int | None:
        """Its pid while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    def wait_ready(self, seconds: float = 60) -> None:
        """Return once it is ready. Raises ServerFault with the end of its log where it ended, or was not in time."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self.pid is None:
                raise ServerFault(f"{self.name} did not start:\n{last_lines(self.log)}")
            if time.monotonic() > deadline:
                raise ServerFault(f"{self.name} was not ready after {seconds:g} s:\n{last_lines(self.log)}")
            time.sleep(0.02)

    def ask_to_stop(self) -> None:
        """Send the first of ``stop_signals`` and do not wait, so that several can stop at once; then ``stop``."""
        if not self._asked and self.process is not None and self.process.poll() is None:
            self._asked = True
            self.process.send_signal(self.stop_signals[0][0])

    def stop(self) -> None:
        """End it and wait until it has ended. Harmless where it does not run."""
        if self.process is None:
            return
        self.ask_to_stop()
        for number, seconds in ((None, self.stop_signals[0][1]), *self.stop_signals[1:]):
            if number is not None and self.process.poll() is None:
                self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._asked = False


def end_all(processes: Iterable[psutil.Process], number: signal.Signals, seconds: float) -> None:
    """End processes that are not our children: ``number``, after ``seconds`` SIGKILL; waits until they are gone."""
    left = list(processes)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    _, left = psutil.wait_procs(left, timeout=seconds)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=seconds)


def last_lines(log: Path, count: int = 15) -> str:
    """The last lines of a log, for a message about the process that wrote it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
