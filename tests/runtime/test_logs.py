"""Log lines: one JSON object each, whoever writes them."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, structlog
from checkout.runtime.logs import configure_logs
from checkout.runtime.settings import load_settings
configure_logs(load_settings(log_format="{format}", log_level="info"), process="api")
structlog.contextvars.bind_contextvars(checkout_id="chk_1")
log = structlog.get_logger("shop")
log.debug("not shown")
log.info("order placed", total=5938)
logging.getLogger("library").warning("careful with %s", "money", extra={{"sku": "TEA"}})
def pay(session_token):
    raise ValueError("broken")
try:
    pay("a-" + "buyer's-token")
except ValueError:
    log.exception("failed")
"""


def _lines(format_: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(format=format_)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_each_line_is_a_json_object() -> None:
    ours, theirs, failed = (json.loads(line) for line in _lines("json"))

    assert ours.pop("time").endswith("Z")
    assert ours == {
        "event": "order placed",
        "total": 5938,
        "checkout_id": "chk_1",
        "process": "api",
        "level": "info",
        "logger": "shop",
    }
    assert (theirs["event"], theirs["sku"], theirs["logger"], theirs["process"]) == (
        "careful with money",
        "TEA",
        "library",
        "api",
    )
    assert failed["exception"][0]["exc_type"] == "ValueError"


def test_for_people_it_is_text() -> None:
    lines = _lines("console")

    assert "order placed" in lines[0]
    assert "total=5938" in lines[0]
    assert "ValueError: broken" in "\n".join(lines)
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_traceback_tells_no_variables(format_: str) -> None:
    """They hold tokens and addresses."""
    assert "a-buyer's-token" not in "\n".join(_lines(format_))
