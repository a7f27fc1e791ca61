"""The embedded PostgreSQL: where its socket goes, what it does not touch, what it recovers from."""

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.account import unprivileged_account
from checkout.runtime.embedded.postgres import EmbeddedPostgres
from checkout.runtime.embedded.process import ProcessKey, launch

Make = Callable[[Path], EmbeddedPostgres]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[EmbeddedPostgres] = []

    def one(directory: Path) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(directory, log=tmp_path / "postgres.log", configuration={"fsync": "off"}))
        return made[-1]

    yield one
    for server in made:
        server.stop()


def run(server: EmbeddedPostgres) -> EmbeddedPostgres:
    server.start()
    server.wait_ready()
    return server


def socket_directory(server: EmbeddedPostgres) -> Path:
    with psycopg.connect(server.uri()) as connection:
        row = connection.execute("SHOW unix_socket_directories").fetchone()
        assert row is not None
        return Path(row[0])


def test_a_path_too_long_for_a_socket_has_it_elsewhere_in_private(make: Make, tmp_path: Path) -> None:
    server = run(make(tmp_path / ("long-" * 30)))

    sockets = socket_directory(server)

    assert tmp_path not in sockets.parents
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    server.stop()
    assert not sockets.exists()


def test_a_socket_directory_that_somebody_else_made_is_not_used(make: Make, tmp_path: Path) -> None:
    server = run(make(tmp_path / ("long-" * 30)))
    sockets = socket_directory(server)
    server.stop()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    sockets.symlink_to(elsewhere)

    try:
        with pytest.raises(ServerFault, match="belongs to somebody else"):
            make(server.directory).start()
    finally:
        sockets.unlink()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")
def test_directories_above_it_stay_closed_to_others(make: Make, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    server = run(make(closed / "postgres"))

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert (closed / "postgres" / "data").stat().st_uid != 0
    server.stop()


def test_a_server_whose_first_process_is_killed_starts_again_with_its_data(make: Make, tmp_path: Path) -> None:
    server = run(make(tmp_path / "postgres"))
    uri = server.ensure_database("shop")
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE words AS SELECT 'kept' AS word")
    # A process that goes on after the first one is gone must be gone before the next server begins: both would write.
    with psycopg.connect(uri) as connection:
        straggler = ProcessKey.of(connection.info.backend_pid)
        assert straggler is not None
        os.kill(straggler.pid, signal.SIGSTOP)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        assert straggler.process() is None
        server.wait_ready()

    with psycopg.connect(server.ensure_database("shop")) as connection:
        assert connection.execute("SELECT word FROM words").fetchall() == [("kept",)]


def test_lock_files_whose_process_is_somebody_else_s_by_now_are_stale(make: Make, tmp_path: Path) -> None:
    server = run(make(tmp_path / "postgres"))
    sockets = socket_directory(server)
    server.stop()
    account = unprivileged_account(server.directory)
    somebody = launch(["/bin/sleep", "600"], log=tmp_path / "sleep.log", account=account)
    try:
        pid = f"{somebody.pid}\n{server.directory / 'data'}\n0\n5432\n\n\n"
        (server.directory / "data" / "postmaster.pid").write_text(pid)
        sockets.mkdir(exist_ok=True)
        (sockets / ".s.PGSQL.5432.lock").write_text(pid)

        run(server)

        assert somebody.poll() is None
    finally:
        somebody.kill()
        somebody.wait()


def test_a_server_that_cannot_start_says_why(make: Make, tmp_path: Path) -> None:
    server = run(make(tmp_path / "postgres"))
    server.stop()
    (tmp_path / "postgres" / "data" / "global" / "pg_control").unlink()

    server.start()

    with pytest.raises(ServerFault, match="pg_control"):
        server.wait_ready()
