"""The commands of a deployment: help with examples, one line for what is wrong, a clean end when told to stop."""

import os
import signal
import sys
from pathlib import Path

import pytest

from checkout.runtime.embedded.process import launch
from tests.support.dev import PATIENCE, checkout, until
from tests.support.http import steady_port

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")} | {"COLUMNS": "200"}


@pytest.mark.parametrize("command", ["dev", "migrate", "api", "worker", "gateway"])
def test_help_shows_an_example(command: str) -> None:
    done = checkout(command, "--help", environment=CLEAN)

    assert done.returncode == 0
    assert "Example" in done.stdout
    assert f"checkout {command}" in done.stdout


@pytest.mark.parametrize(
    ("command", "environment", "says"),
    [
        ("migrate", {}, ["CHECKOUT_DATABASE_URL is not set"]),
        (
            "api",
            {"CHECKOUT_DATABASE_URL": "postgresql://db/shop"},
            ["CHECKOUT_SECRET_KEY is not set", "CHECKOUT_ADMIN_TOKEN is not set"],
        ),
        ("gateway", {"CHECKOUT_DATABASE_URL": "postgresql://db/shop"}, ["CHECKOUT_GATEWAY_API_KEY is not set"]),
        ("worker", {"CHECKOUT_DATABASE_URL": "postgresql://db/shop"}, ["CHECKOUT_GATEWAY_API_KEY is not set"]),
        ("api", {"CHECKOUT_SECRET_KEY": "short"}, ["CHECKOUT_SECRET_KEY is wrong, needed: 32 characters or more"]),
    ],
)
def test_what_is_missing_is_one_line_each(
    tmp_path: Path, command: str, environment: dict[str, str], says: list[str]
) -> None:
    done = checkout(command, environment={**CLEAN, "CHECKOUT_DATA_DIR": str(tmp_path), **environment})

    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert [line.startswith(f"checkout: {start}") for line, start in zip(lines, says, strict=True)] == [True] * len(
        says
    )


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    done = checkout(
        "migrate", environment={**CLEAN, "CHECKOUT_DATABASE_URL": f"postgresql:///shop?host={tmp_path}/nowhere"}
    )

    assert done.returncode == 1
    assert done.stderr.startswith("checkout: the database does not answer: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line(database_url: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = checkout(
            "gateway",
            environment={
                **CLEAN,
                "CHECKOUT_DATABASE_URL": database_url,
                "CHECKOUT_GATEWAY_API_KEY": "key",
                "CHECKOUT_GATEWAY_PORT": str(port),
            },
        )

    assert done.returncode == 2
    assert done.stderr.startswith(f"checkout: CHECKOUT_GATEWAY_PORT is {port}, which 127.0.0.1 cannot be served on")


def test_a_worker_waits_for_temporal_and_ends_well_when_told_to(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    worker = launch(
        [sys.executable, "-m", "checkout.cli.main", "worker"],
        log=log,
        environment={
            **CLEAN,
            "CHECKOUT_DATABASE_URL": "postgresql://127.0.0.1/shop",
            "CHECKOUT_GATEWAY_API_KEY": "key",
            "CHECKOUT_TEMPORAL_ADDRESS": f"127.0.0.1:{steady_port()}",
        },
    )
    until(lambda: "temporal_away" in log.read_text(), "the worker did not say that Temporal is away")
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(PATIENCE) == 0
