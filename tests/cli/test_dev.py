"""``checkout dev`` on good and bad days: what it says, what it restarts, what it leaves, what it recovers from."""

import contextlib
import os
import pwd
import re
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from checkout.cli.children import Directories
from checkout.runtime.embedded import ServerFault
from checkout.runtime.embedded.account import Account
from tests.support.dev import Dev, until

README = Path(__file__).parents[2] / "README.md"
CHILDREN = ("postgres", "temporal", "gateway", "worker", "api")


@pytest.fixture
def make_dev(tmp_path: Path) -> Iterator[Callable[[], Dev]]:
    made: list[Dev] = []

    def make() -> Dev:
        made.append(Dev(tmp_path))
        return made[-1]

    yield make
    for dev in made:
        dev.stop()


@pytest.fixture
def dev(make_dev: Callable[[], Dev]) -> Dev:
    return make_dev()


def nothing_left(dev: Dev) -> None:
    until(lambda: not dev.left(), f"still running: {dev.left()}")


def remember(dev: Dev, word: str) -> None:
    with psycopg.connect(dev.described()["postgres"]["url"]) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text PRIMARY KEY)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])


def remembered(dev: Dev) -> list[str]:
    with psycopg.connect(dev.described()["postgres"]["url"]) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words ORDER BY word")]


def another_runs(dev: Dev, name: str, pid: int) -> bool:
    now = dev.described()[name]["pid"]  # None while the child is down
    return now is not None and now != pid


def told(text: str) -> list[str]:
    """What it says when it is ready, without the values."""
    return re.findall(
        r"^  ([A-Z][A-Za-z -]+?)  +\S", text.partition("Ctrl-C stops all of it.")[2].partition("```")[0], re.MULTILINE
    )


def is_ready(dev: Dev) -> bool:
    try:
        return httpx.get(f"{dev.described()['api']['url']}/health/ready", timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def test_a_taken_port_is_named_with_the_setting_that_changes_it(dev: Dev) -> None:
    whose = {
        "HTTP_PORT": "the API",
        "GATEWAY_PORT": "the payment gateway",
        "TEMPORAL_PORT": "Temporal",
        "TEMPORAL_UI_PORT": "the Temporal UI",
    }
    ports = {name: dev.environment[f"CHECKOUT_{name}"] for name in whose}
    with contextlib.ExitStack() as taken:
        for port in ports.values():
            taken.enter_context(socket.create_server(("127.0.0.1", int(port))))
        done = dev.command("dev")

    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == len(ports)
    for line, (name, port) in zip(lines, ports.items(), strict=True):
        assert f"port {port}, for {whose[name]}, is taken by" in line
        assert f"(pid {os.getpid()}): set CHECKOUT_{name} to another one" in line


def test_an_address_that_is_none_of_this_machine(dev: Dev) -> None:
    for host in ("192.0.2.1", "nowhere.invalid"):  # RFC 5737 and RFC 6761: nobody's
        dev.environment["CHECKOUT_HOST"] = host

        done = dev.command("dev")

        assert done.returncode == 2
        assert done.stderr.startswith(f"checkout: CHECKOUT_HOST is '{host}', needed: an address of this machine")
        assert len(done.stderr.splitlines()) == 1


def test_settings_that_need_a_mail_server_do_without_one(dev: Dev) -> None:
    """What would be sent is kept."""
    dev.environment |= {"CHECKOUT_NOTIFY_ON_FAILURE": "ops@shop.example", "CHECKOUT_REMIND_ABANDONED_AFTER": "60"}
    done = dev.command("dev")
    assert (done.returncode, done.stderr.strip()) == (
        2,
        "checkout: CHECKOUT_REMIND_ABANDONED_AFTER needs CHECKOUT_SMTP_URL and CHECKOUT_RESUME_URL",
    )
    dev.environment["CHECKOUT_RESUME_URL"] = "https://shop.example/{cart_id}"
    port = dev.environment["CHECKOUT_GATEWAY_PORT"]
    with socket.create_server(("127.0.0.1", int(port))):  # it stops there
        assert f"port {port}, for the payment gateway, is taken" in dev.command("dev").stderr


def test_two_ports_that_are_one(dev: Dev) -> None:
    dev.environment["CHECKOUT_TEMPORAL_UI_PORT"] = dev.environment["CHECKOUT_HTTP_PORT"]

    done = dev.command("dev")

    assert done.returncode == 2
    assert "CHECKOUT_TEMPORAL_UI_PORT and CHECKOUT_HTTP_PORT are both" in done.stderr


def test_a_wrong_setting_is_one_line(dev: Dev) -> None:
    dev.environment["CHECKOUT_TTL_MINUTES"] = "a while"

    done = dev.command("dev")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("checkout: CHECKOUT_TTL_MINUTES is 'a while', needed: minutes")
    assert len(done.stderr.splitlines()) == 1


def test_a_life_with_deaths(dev: Dev) -> None:
    """One story, because every start costs seconds: start, refuse a second, lose each child, stop."""
    dev.start()

    described = dev.described()
    assert list(described) == ["api", "worker", "temporal", "postgres", "gateway", "admin_token"]
    assert {name: set(described[name]) for name in CHILDREN} == {
        "api": {"url", "pid"},
        "worker": {"pid", "metrics"},
        "temporal": {"address", "ui", "pid"},
        "postgres": {"url", "pid"},
        "gateway": {"url", "pid"},
    }
    for private in ("dev.json", "secrets.json"):
        assert stat.S_IMODE((dev.data / private).stat().st_mode) == 0o600
    said = dev.said()
    for address in (described["api"]["url"], described["gateway"]["url"], described["temporal"]["ui"]):
        assert address in said
    assert described["admin_token"] in said
    assert told(said) == told(README.read_text(encoding="utf-8"))
    assert is_ready(dev)
    remember(dev, "first")

    second = dev.command("dev")
    assert second.returncode == 2
    assert f"runs already (pid {dev.main_pid})" in second.stderr
    assert described["api"]["url"] in second.stderr

    found = dev.command("migrate")
    assert found.returncode == 0, found.stderr
    assert "the schema is at" in found.stdout

    for name in CHILDREN:
        before = {child: dev.pid(child) for child in CHILDREN}
        os.kill(before[name], signal.SIGKILL)
        until(partial(another_runs, dev, name, before[name]), f"{name} was not started again")
        until(lambda: is_ready(dev), f"not ready again after {name} was killed")
    assert remembered(dev) == ["first"]

    assert dev.signal(signal.SIGTERM) == 0
    assert dev.left() == []
    assert not (dev.data / "dev.json").exists()
    assert dev.command("migrate").returncode == 2


def test_killed_it_leaves_nothing_and_starts_again_with_its_data(dev: Dev) -> None:
    dev.start()
    token = dev.described()["admin_token"]
    remember(dev, "kept")

    dev.signal(signal.SIGKILL)
    nothing_left(dev)

    dev.start()

    assert remembered(dev) == ["kept"]
    assert dev.described()["admin_token"] == token
    assert dev.signal(signal.SIGINT) == 0
    assert dev.left() == []


def test_half_made_directories_are_made_anew(dev: Dev) -> None:
    for broken in (
        "postgres/data.making/PG_VERSION",
        "temporal/temporal.db",
        "secrets.json",
        "dev.json",
        "children.json",
    ):
        file = dev.data / broken
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"half')

    dev.start()

    assert is_ready(dev)
    assert len(dev.described()["admin_token"]) >= 32


def test_a_child_that_cannot_start_ends_all_with_its_last_words(dev: Dev) -> None:
    dev.environment |= {"CHECKOUT_DATABASE_URL": "postgresql://db/shop", "CHECKOUT_HTTPPORT": "80"}
    dev.begin()
    until(lambda: dev.ended or (dev.data / "postgres" / "data" / "PG_VERSION").exists(), "no data directory was made")
    assert "CHECKOUT_DATABASE_URL is not used: `checkout dev` runs its own" in dev.said()
    assert "CHECKOUT_HTTPPORT is not a setting; CHECKOUT_HTTP_PORT is" in dev.said()
    dev.signal(signal.SIGTERM)
    with (dev.data / "postgres" / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")

    dev.begin()

    assert dev.wait() == 1
    assert "postgres ended 3 times before it was ready" in dev.said()
    assert "no_such_setting" in dev.said()
    nothing_left(dev)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_runs_as_an_ordinary_user(make_dev: Callable[[], Dev]) -> None:
    nobody = pwd.getpwnam("nobody")
    dev = make_dev()
    dev.data.mkdir()
    os.chown(dev.data, nobody.pw_uid, nobody.pw_gid)

    # The capability lets it pass to an interpreter under /root; it is not root for all that.
    dev.start(Account("nobody", nobody.pw_uid, nobody.pw_gid, passes_closed_directories=True))

    assert is_ready(dev)
    assert {path.stat().st_uid for path in dev.data.rglob("*")} == {nobody.pw_uid}
    assert dev.signal(signal.SIGINT) == 0
    assert dev.left() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_directory_of_another_user_is_one_line() -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        Path(directory).chmod(0o755)
        Directories.make(data)
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            with pytest.raises(ServerFault) as fault:
                Directories.make(data)
        finally:
            os.seteuid(0)
    assert str(fault.value) == f"CHECKOUT_DATA_DIR is '{data}', which cannot be used: Permission denied"
