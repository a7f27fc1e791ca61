"""The commands of a deployment: help with examples, one line for what is wrong, a clean end when told to stop."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

from checkout.domain import search
from checkout.runtime.embedded.process import launch
from checkout.runtime.settings import Settings
from checkout.runtime.temporal import connect
from tests.support.dev import PATIENCE, checkout, until
from tests.support.http import steady_port
from tests.support.temporal import TemporalEnvironment, another_namespace, temporal_settings
from tests.support.waiting import eventually

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")} | {"COLUMNS": "200"}


#: Runs one command after another in one process, because a process of its own for each takes a second.
SEVERAL = """
import contextlib, io, json, os, sys
from checkout.cli.main import _run
results = []
for arguments, environment in json.load(sys.stdin):
    os.environ.update(environment)
    sys.argv = ["checkout", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = _run()
    results.append([code, out.getvalue(), err.getvalue()])
    for name in environment:
        del os.environ[name]
print(json.dumps(results))
"""


def run_several(*commands: tuple[list[str], dict[str, str]]) -> list[tuple[int, str, str]]:
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL],
        input=json.dumps(commands),
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def test_help_shows_an_example() -> None:
    commands = [
        *("dev", "migrate", "api", "worker", "gateway"),
        *("monitor", "diagnose", "list", "release", "retry", "resolve"),
    ]

    results = run_several(*(([command, "--help"], {}) for command in commands))

    assert [code for code, _, _ in results] == [0] * len(commands)
    assert [command for command, (_, out, _) in zip(commands, results, strict=True) if "Example" not in out] == []
    assert [name for name, (_, out, _) in zip(commands, results, strict=True) if f"checkout {name}" not in out] == []


def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    done = checkout("migrate", environment={**CLEAN, "CHECKOUT_DATABASE_URL": database_url})

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("checkout: the database's schema is at 9999, which a newer version has made")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_missing_is_one_line_each(tmp_path: Path) -> None:
    database = {"CHECKOUT_DATABASE_URL": "postgresql://db/shop"}
    stripe = [f"CHECKOUT_{name} is not set" for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "RETURN_URL")]
    cases: list[tuple[str, dict[str, str], list[str]]] = [
        ("migrate", {}, ["CHECKOUT_DATABASE_URL is not set"]),
        ("api", database, ["CHECKOUT_SECRET_KEY is not set", "CHECKOUT_ADMIN_TOKEN is not set"]),
        ("gateway", database, ["CHECKOUT_GATEWAY_API_KEY is not set"]),
        ("worker", database, ["CHECKOUT_GATEWAY_API_KEY is not set"]),
        ("api", {**database, "CHECKOUT_PAYMENT_GATEWAY": "stripe"}, stripe),
        ("worker", {**database, "CHECKOUT_PAYMENT_GATEWAY": "stripe"}, stripe),
        ("dev", {"CHECKOUT_PAYMENT_GATEWAY": "stripe"}, stripe),
        (
            "worker",
            {"CHECKOUT_STRIPE_SECRET_KEY": "pk_live_1"},
            ["CHECKOUT_STRIPE_SECRET_KEY is wrong, needed: sk_test_…"],
        ),
        ("api", {"CHECKOUT_SECRET_KEY": "short"}, ["CHECKOUT_SECRET_KEY is wrong, needed: 32 characters or more"]),
    ]

    results = run_several(
        *(([command], {"CHECKOUT_DATA_DIR": str(tmp_path), **environment}) for command, environment, _ in cases)
    )

    for (command, _, says), (code, _, err) in zip(cases, results, strict=True):
        assert code == 2, (command, err)
        lines = err.splitlines()
        assert len(lines) == len(says), (command, err)
        for line, start in zip(lines, says, strict=True):
            assert line.startswith(f"checkout: {start}"), (command, err)


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    done = checkout(
        "migrate", environment={**CLEAN, "CHECKOUT_DATABASE_URL": f"postgresql:///shop?host={tmp_path}/nowhere"}
    )

    assert done.returncode == 1
    assert done.stderr.startswith("checkout: the database does not answer: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_temporal_that_does_not_answer_is_one_line_with_the_setting() -> None:
    away = f"127.0.0.1:{steady_port()}"
    done = checkout("reconcile", environment={**CLEAN, "CHECKOUT_TEMPORAL_ADDRESS": away})

    assert done.returncode == 1
    assert done.stderr == (
        f"checkout: Temporal does not answer at {away}: Connection refused. "
        "Does it run, and is CHECKOUT_TEMPORAL_ADDRESS right?\n"
    )


def test_a_data_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = checkout("dev", environment={**CLEAN, "CHECKOUT_DATA_DIR": str(tmp_path / "file")})

    assert done.returncode == 1
    assert done.stderr.startswith(f"checkout: CHECKOUT_DATA_DIR is '{tmp_path}/file', which cannot be used: ")


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


async def test_the_search_attributes_of_a_namespace_of_yours(
    database_url: str, temporal_env: TemporalEnvironment
) -> None:
    settings = temporal_settings()
    async with another_namespace(temporal_env.client) as name:
        await _registers(database_url, settings, name)


async def _registers(database_url: str, settings: Settings, name: str) -> None:
    environment = {
        **CLEAN,
        "CHECKOUT_DATABASE_URL": database_url,
        "CHECKOUT_TEMPORAL_ADDRESS": settings.temporal_address,
        "CHECKOUT_TEMPORAL_NAMESPACE": name,
    }

    async def registered() -> str:
        done = await asyncio.to_thread(checkout, "migrate", "--search-attributes", environment=environment)
        # Where the server has not heard of its new namespace yet.
        assert done.returncode == 0 or done.stderr.startswith("checkout: Temporal refuses: "), done.stderr
        return done.stdout if done.returncode == 0 else ""

    assert f"search attributes: registered {', '.join(sorted(search.TYPES))}" in await eventually(
        registered, "it is done"
    )
    client = await connect(settings.model_copy(update={"temporal_namespace": name}))

    async def known() -> bool:
        request = ListSearchAttributesRequest(namespace=name)
        answer = await client.operator_service.list_search_attributes(request)
        return set(search.TYPES) <= set(answer.custom_attributes)

    await eventually(known, "the namespace has the search attributes")
