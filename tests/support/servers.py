"""The servers of a test session: started when a test first needs one, shared by its workers, ended with the session."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from checkout.runtime.embedded.process import ProcessKey

_VARIABLE = "CHECKOUT_TEST_SESSION"
#: Variables that name servers of yours, and under which name the session keeps them: no settings of a test read that.
GIVEN = {
    "CHECKOUT_DATABASE_URL": "CHECKOUT_TEST_DATABASE_URL",
    "CHECKOUT_TEMPORAL_ADDRESS": "CHECKOUT_TEST_TEMPORAL_ADDRESS",
}
#: All buyers of the tests come from one address, and faster than people do.
UNLIMITED = dict.fromkeys(
    (
        "CHECKOUT_RATE_LIMIT",
        "CHECKOUT_RATE_LIMIT_ADDRESS",
        "CHECKOUT_MAX_RUNNING_CHECKOUTS",
        "CHECKOUT_MAX_RUNNING_CHECKOUTS_ADDRESS",
    ),
    "off",
)
_SECONDS = 120
#: A file system in memory, and what has to be free there, and of memory in all, for the session's servers (bytes).
_MEMORY, _ROOM = Path("/dev/shm"), 4 << 30  # noqa: S108 - mkdtemp makes a directory of our own there


def begin_session(postgres: str = "postgres") -> None:
    """Called once, by the session's first process, before it starts workers: they inherit where its servers are.

    ``postgres`` is the kind of server that databases are made on: ``postgres`` (embedded) or ``container``.
    """
    directory = Path(tempfile.mkdtemp(prefix="checkout-tests-", dir=_in_memory()))
    # PostgreSQL may run as another user (see runtime/embedded/account.py) and has to pass.
    directory.chmod(0o711)
    owner = ProcessKey.of(os.getpid())
    assert owner is not None
    session = {"directory": str(directory), "pid": owner.pid, "started": owner.started, "postgres": postgres}
    os.environ[_VARIABLE] = json.dumps(session)


def _in_memory() -> Path | None:
    """Where a directory needs no disk, None where there is no room for one.

    A session makes and drops thousands of databases of some four hundred files each. A hundred of them, four at a time,
    took 36 s of processor time on a disk (ext4 with ``discard``) and 4 s in memory.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    free = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    return _MEMORY if free >= _ROOM else None


def end_session() -> None:
    """End every keeper, and with it its server, and wait until they are gone."""
    directory = session_directory()
    keepers = []
    for file in directory.glob("*/keeper.json"):
        key = ProcessKey(**json.loads(file.read_text()))
        if process := key.process():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                keepers.append(process)
    _, alive = psutil.wait_procs(keepers, timeout=30)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    shutil.rmtree(directory, ignore_errors=True)


def session_directory() -> Path:
    """Where this session keeps what its workers share."""
    return Path(json.loads(os.environ[_VARIABLE])["directory"])


def given() -> bool:
    """Whether the session was given a server of yours, for the database or for Temporal."""
    return any(name in os.environ for name in GIVEN.values())


def postgres_kind() -> str:
    """The kind of server that this session makes its databases on."""
    return str(json.loads(os.environ[_VARIABLE])["postgres"])


@contextlib.contextmanager
def exclusively(name: str) -> Iterator[None]:
    """Only one worker of the session at a time; released by the kernel where a worker dies."""
    with (session_directory() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def server(kind: str) -> dict[str, str]:
    """What the keeper of ``postgres`` or ``container`` (uri) or ``temporal`` (address) answers; started if need be.

    Raises RuntimeError with the server's own words where it does not start.
    """
    directory = session_directory() / kind
    with exclusively(kind):
        if not (directory / "answer.json").exists():
            _start_keeper(kind, directory)
    answer: dict[str, str] = json.loads((directory / "answer.json").read_text())
    if "fault" in answer:
        raise RuntimeError(answer["fault"])
    return answer


def _start_keeper(kind: str, directory: Path) -> None:
    session = json.loads(os.environ[_VARIABLE])
    directory.mkdir(exist_ok=True)
    with (directory / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.support.keeper"),
                *(kind, str(directory), str(session["pid"]), repr(session["started"])),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
    key = ProcessKey.of(keeper.pid)
    assert key is not None
    (directory / "keeper.json").write_text(json.dumps({"pid": key.pid, "started": key.started}))
    deadline = time.monotonic() + _SECONDS
    while not (directory / "answer.json").exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the {kind} keeper did not start:\n{(directory / 'keeper.log').read_text()}")
        time.sleep(0.02)
