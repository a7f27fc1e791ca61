"""Child processes that end with their parent, and processes known again by pid and start time."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from checkout.runtime.embedded.account import Account

_LAUNCHER = Path(__file__).with_name("launch.py")


class ServerFault(Exception):
    """A child process cannot be started or did not become ready; the message says why, in a sentence for people."""


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


def stop(process: "subprocess.Popen[bytes]", signals: Sequence[tuple[signal.Signals, float]]) -> int:
    """Send each signal and wait its seconds, until the process has ended; then SIGKILL. Returns its exit code."""
    for number, seconds in signals:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
    return process.wait()


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
