"""Commands of operators against a real API: what they show of ordinary and stuck checkouts, and what they refuse."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from checkout.api import engine
from checkout.api.app import create_app
from checkout.cli.main import app
from checkout.runtime.settings import Settings
from checkout.runtime.stack import STACK_FILE, hold, write_private
from tests.api.buyer import Buyer, card
from tests.api.conftest import ADMIN_TOKEN, VIEWER_TOKEN, beside_the_gateway
from tests.api.test_admin_checkout import fault
from tests.api.test_diagnosis import age
from tests.support.dev import PATIENCE
from tests.support.http import serve, steady_port
from tests.support.waiting import eventually
from tests.workflows.stage import Stage

NOWHERE = {"CHECKOUT_DATA_DIR": "/nonexistent", "CHECKOUT_ADMIN_TOKEN": ADMIN_TOKEN}


@pytest.fixture
def api_settings(api_settings: Settings, stage: Stage) -> Settings:
    return beside_the_gateway(api_settings, stage)


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """The API logs in this process, and so to the output of the command."""
    with capture_logs():
        yield


class Terminal:
    """Runs commands as an operator somewhere else would."""

    def __init__(self, url: str) -> None:
        self.environment: dict[str, str | None] = {**NOWHERE, "CHECKOUT_API_URL": url}

    async def run(self, *arguments: str, code: int = 0, **changes: str | None) -> str:
        """A command that ends with this code; gives what it said, on both outputs."""
        done = await self.result(*arguments, **changes)
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return done.output

    async def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """The same with ``--json``."""
        return dict(json.loads(await self.run(*arguments, "--json", code=code)))

    async def result(self, *arguments: str, **changes: str | None) -> Result:
        environment = {**self.environment, **changes}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(arguments), env=environment))


@pytest.fixture
def terminal(api_url: str) -> Terminal:
    return Terminal(api_url)


@pytest.mark.usefixtures("worker")
async def test_ordinary_checkouts(http: httpx.AsyncClient, stage: Stage, terminal: Terminal) -> None:
    assert await terminal.run("list") == "no checkouts\n"
    assert await terminal.run("list", "--stuck") == "nothing is stuck\n"
    done, waiting = Buyer(http, await stage.cart()), Buyer(http, await stage.cart())
    completed, open_one = await done.started(payment=card("tok_visa")), await waiting.started()

    listed = await terminal.run("list")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [open_one, completed]
    assert "95.00 EUR" in listed or "EUR" in listed
    assert completed not in await terminal.run("list", "--state", "awaiting_payment")
    first = await terminal.json("list", "--limit", "1")
    assert [one["id"] for one in first["items"]] == [open_one]
    assert completed in await terminal.run("list", "--limit", "1", "--cursor", first["next_cursor"])
    assert first["next_cursor"] in await terminal.run("list", "--limit", "1")

    told = await terminal.run("diagnose", completed)
    assert "Nothing is wrong with it." in told
    for word in ("stock_commit", "pay_", "gw_", "captured", "MUG", "committed", completed):
        assert word in told, word
    assert (await terminal.json("diagnose", done.cart_id))["checkout"]["id"] == completed
    assert await terminal.run("diagnose") == "The shop is healthy.\n"

    figures = await terminal.run("monitor", "--once", "--hours", "1")
    for line in ("Active now", "awaiting payment", "completed", "success rate", "100.0 %", "rate-limit hits"):
        assert line in figures, line
    look = await terminal.json("monitor", "--once")
    assert (look["statistics"]["active"], look["statistics"]["completed"]) == (1, 1)
    assert look["diagnosis"]["status"] == "healthy"

    assert await terminal.run("release", open_one, "--reason", "he called") == f"{open_one}: cancelled\n"
    assert (await terminal.json("release", open_one, "--reason", "again"))["state"] == "cancelled"
    assert "he called" in await terminal.run("diagnose", open_one)
    said = await terminal.run("release", completed, "--reason", "he called", code=1)
    assert said == ("checkout: The checkout is completed and can no longer be released: refund its order instead\n")
    assert "waits for another attempt" in await terminal.run("retry", completed, code=1)
    by_hand = ("--compensation", "void_payment", "--reason", "lost", "--done", "by hand")
    assert "nothing of it is refused" in await terminal.run("resolve", completed, *by_hand, code=1)


@pytest.mark.usefixtures("worker")
async def test_a_stuck_one_is_listed_explained_and_tried_again(
    http: httpx.AsyncClient, stage: Stage, terminal: Terminal
) -> None:
    await fault(stage, "capture", fault="error")
    run = await stage.launch(token="tok_visa")
    checkout = run.checkout.checkout_id

    async def failing() -> bool:
        done = await terminal.result("diagnose", checkout)
        return done.exit_code == 1 and "payment_capture has failed " in done.output

    await eventually(failing, "the capture fails")
    await age(stage, checkout)
    told = await terminal.run("diagnose", checkout, code=1)
    assert "What is wrong with it:" in told
    assert "→ See that the payment gateway answers and takes the shop's key: it goes on by itself then" in told
    assert "capturing since " in told
    listed = await terminal.run("list", "--stuck")
    assert f"{checkout}  capturing" in listed
    told = await terminal.run("diagnose", code=1)
    assert told.startswith("The shop is degraded.")
    assert checkout in told
    assert checkout in await terminal.run("monitor", "--once")
    assert (await terminal.json("diagnose", code=1))["stuck"][0]["id"] == checkout

    await fault(stage, "capture")
    assert (await terminal.run("retry", checkout)).startswith(f"{checkout}: ")
    await run.handle.result()
    assert "Nothing is wrong with it." in await terminal.run("diagnose", checkout)


async def test_what_takes_longer_says_how_to_go_on(
    http: httpx.AsyncClient, stage: Stage, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "UPDATE_WAIT", 1)
    monkeypatch.setattr(engine, "QUERY_WAIT", 1)
    run = await stage.launch()  # no worker takes it
    checkout = run.checkout.checkout_id
    said = await terminal.run("release", checkout, "--reason", "he called")
    assert said == f"{checkout}: pending; it goes on by itself, `checkout diagnose {checkout}` says how far\n"
    await stage.client.get_workflow_handle(run.handle.id).terminate()


async def test_what_is_wrong_is_one_line_with_its_remedy(api_url: str, terminal: Terminal) -> None:
    away = f"http://127.0.0.1:{steady_port()}"
    cases: list[tuple[tuple[str, ...], dict[str, str | None], int, str]] = [
        (("list",), {"CHECKOUT_API_URL": away}, 1, f"the API does not answer at {away}: "),
        (("monitor",), {"CHECKOUT_API_URL": away}, 1, f"the API does not answer at {away}: "),
        (("diagnose",), {"CHECKOUT_ADMIN_TOKEN": "x" * 20}, 2, f"the API at {api_url} does not take CHECKOUT_ADMIN"),
        (("monitor",), {"CHECKOUT_ADMIN_TOKEN": "x" * 20}, 2, f"the API at {api_url} does not take CHECKOUT_ADMIN"),
        (("list",), {"CHECKOUT_ADMIN_TOKEN": None}, 2, "CHECKOUT_ADMIN_TOKEN is not set: "),
        (("list",), {"CHECKOUT_API_URL": None}, 2, "no `checkout dev` runs on /nonexistent: start one, or set"),
        (("list", "--url", "shop.example"), {}, 2, "--url is 'shop.example', needed: an http or https URL"),
        (("list", "--url", f"{api_url}/nowhere"), {}, 1, f"{api_url}/nowhere answers (404), and not as"),
        (("list", "--state", "paid", "--limit", "0"), {}, 2, "state must be "),
        (("list", "--limit", "0"), {}, 2, "limit must be "),
        (("list", "--cursor", "x"), {}, 2, "cursor must be next_cursor"),
        (("list", "--since", "2026-02-01", "--until", "2026-01-01"), {}, 2, "--until must be later than --since"),
        (("monitor", "--hours", "999"), {}, 2, "hours must be "),
        (("diagnose", "chk_none_none"), {}, 2, "There is no such checkout"),
        (("diagnose", "cart_none"), {}, 2, "No checkout, no cart that has one, and no order is called cart_none"),
        (("diagnose", "../actions"), {}, 2, "'../actions' is no id"),
        (("diagnose", ".."), {}, 2, "'..' is no id"),
        (("release", "chk_none_none", "--reason", "x"), {}, 2, "There is no such checkout"),
        (("release", "chk_none_none", "--reason", ""), {}, 2, "reason must "),
        (("release", "chk_none_none", "--reason", "x"), {"CHECKOUT_ADMIN_TOKEN": VIEWER_TOKEN}, 2, "A viewer may look"),
        (("retry", "chk_none_none"), {"CHECKOUT_ADMIN_TOKEN": VIEWER_TOKEN}, 2, "A viewer may look, not retry"),
    ]
    wrong = []
    for arguments, changes, code, says in cases:
        done = await terminal.result(*arguments, **changes)
        line = done.output.removeprefix("checkout: ")
        if (done.exit_code, len(done.output.splitlines())) != (code, 1) or not line.startswith(says):
            wrong.append((arguments, done.exit_code, done.output, done.exception))
    assert not wrong


class Elsewhere:
    """Answers as somebody else; ``tokens`` are those that it was told."""

    def __init__(self, to: str) -> None:
        self.to, self.tokens = to, list[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        self.tokens.append(headers.get(b"authorization", b"").decode())
        answer = RedirectResponse(self.to) if self.to else PlainTextResponse("welcome to nginx")
        await answer(scope, receive, send)


@pytest.fixture
def stack(tmp_path: Path, api_url: str) -> Iterator[str]:
    """A data directory on which a `checkout dev` seems to run; its API is the test's."""
    with hold(tmp_path):
        stack = {
            "api": {"url": api_url},
            "temporal": {"address": "127.0.0.1:1", "ui": "http://127.0.0.1:2"},
            "postgres": {"url": "postgresql://none"},
            "gateway": None,
        }
        write_private(tmp_path / STACK_FILE, stack)
        write_private(tmp_path / "secrets.json", {"admin_token": ADMIN_TOKEN})
        yield str(tmp_path)


async def test_the_running_stack_is_found_and_its_token_told_to_nobody_else(stack: str, api_url: str) -> None:
    terminal = Terminal(api_url)
    terminal.environment = {"CHECKOUT_DATA_DIR": stack}
    assert await terminal.run("list") == "no checkouts\n"
    assert await terminal.run("list", "--url", f"{api_url}/") == "no checkouts\n"
    other = Elsewhere("")
    with serve(other) as url:
        assert "CHECKOUT_ADMIN_TOKEN is not set" in await terminal.run("list", "--url", url, code=2)
        assert "CHECKOUT_ADMIN_TOKEN is not set" in await terminal.run("list", code=2, CHECKOUT_API_URL=url)
        assert other.tokens == []
        said = await terminal.run("list", code=1, CHECKOUT_API_URL=url, CHECKOUT_ADMIN_TOKEN="y" * 20)
        assert said == f"checkout: {url} answers, and not as this shop's API: is the address right?\n"
        assert other.tokens == [f"Bearer {'y' * 20}"]
        moved = Elsewhere(f"{url}/there")
        with serve(moved) as old:
            said = await terminal.run("list", code=2, CHECKOUT_API_URL=old, CHECKOUT_ADMIN_TOKEN="z" * 20)
        assert said == f"checkout: {old} says that it is at {url}/there: name that address\n"
        assert other.tokens == [f"Bearer {'y' * 20}"]


def watching(url: str) -> tuple["subprocess.Popen[bytes]", int]:
    """The monitor in a terminal of its own, and what reads its screen."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, **NOWHERE, "CHECKOUT_API_URL": url, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
    # Ctrl-C counts as in a terminal, though these tests be a job in the background, which hands on that it is ignored.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeding}; from checkout.cli.main import main; main()"
    command = [sys.executable, "-c", program, "monitor", "--every", "0.5"]
    monitor = subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    return monitor, ours


async def test_the_monitor_lives_while_the_api_is_away(api_settings: Settings, request: pytest.FixtureRequest) -> None:
    port = steady_port()
    url = f"http://127.0.0.1:{port}"
    with serve(create_app(api_settings), port):
        monitor, ours = watching(url)
        request.addfinalizer(monitor.kill)  # whatever comes of it
        shown = bytearray()

        def until(what: str) -> None:
            shown.clear()
            while what.encode() not in shown:
                shown.extend(os.read(ours, 65536))

        await asyncio.to_thread(until, "Active now")
    await asyncio.to_thread(until, "the API does not answer at")
    await asyncio.to_thread(until, "Active now")  # the last figures stay
    with serve(create_app(api_settings), port):
        await asyncio.to_thread(until, "Durable Checkout is")
        monitor.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(monitor.wait, PATIENCE) == 0
    os.close(ours)
