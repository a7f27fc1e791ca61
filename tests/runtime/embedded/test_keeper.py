"""The servers of a test session end with it, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from checkout.runtime.embedded.process import ProcessKey
from tests.support.dev import until

SESSION = """
import os, signal, sys
from tests.support import servers
servers.begin_session()
servers.server("postgres")
print(servers.session_directory(), flush=True)
if sys.argv[1] == "ends":
    servers.end_session()
else:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _processes_of(directory: Path) -> set[ProcessKey]:
    found = set()
    for process in psutil.process_iter():
        try:
            mine = str(directory) in " ".join(process.cmdline()) or directory in Path(process.cwd()).parents
        except psutil.Error:
            continue
        if mine and (key := ProcessKey.of(process.pid)) is not None and key.process() is not None:
            found.add(key)
    return found


def _run_session(how: str) -> Path:
    done = subprocess.run(
        [sys.executable, "-c", SESSION, how],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr
    return Path(done.stdout.strip())


def test_a_session_that_ends_leaves_nothing() -> None:
    directory = _run_session("ends")

    assert not directory.exists()
    assert _processes_of(directory) == set()


def test_a_session_that_is_killed_leaves_nothing() -> None:
    directory = _run_session("is killed")

    until(lambda: not directory.exists(), f"{directory} is still there")
    until(lambda: not _processes_of(directory), "its processes are still there")
