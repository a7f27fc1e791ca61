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


DATABASE = """
import logging, structlog, psycopg
from sqlalchemy.exc import IntegrityError
from checkout.runtime.logs import configure_logs
from checkout.runtime.settings import load_settings
configure_logs(load_settings(log_format="{format}"), process="api")
email = "ada@example.com"  # by its name below: a traceback shows the lines that raise
try:
    try:
        raise psycopg.errors.NotNullViolation(f"null value\\nDETAIL:  Failing row contains ({{email}})")
    except psycopg.Error as error:
        raise IntegrityError("INSERT", {{"email": email}}, error) from error
except IntegrityError:
    structlog.get_logger("shop").exception("failed")
    logging.getLogger("library").exception("failed as well")
"""


@pytest.mark.parametrize("format_", ["json", "console"])
def test_an_error_of_the_database_repeats_no_values(format_: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DATABASE.format(format=format_)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "ada@example.com" not in done.stderr
    assert done.stderr.count("NotNullViolation, SQLSTATE 23502") >= 4  # of two lines, both errors


GROUP = """
import structlog, psycopg
from sqlalchemy.exc import OperationalError
from checkout.runtime.logs import configure_logs
from checkout.runtime.settings import load_settings
configure_logs(load_settings(log_format="{format}"), process="api")
said = OperationalError("INSERT", {{"email": "ada@example.com"}}, psycopg.errors.NotNullViolation("ada@example.com"))
try:
    try:
        raise ExceptionGroup("of a stream", [said, psycopg.OperationalError()])
    except ExceptionGroup as group:
        raise RuntimeError("it broke") from group
except RuntimeError:
    structlog.get_logger("shop").exception("failed")
"""


@pytest.mark.parametrize("format_", ["json", "console"])
def test_nor_does_one_in_a_group(format_: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROUP.format(format=format_)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "ada@example.com" not in done.stderr
    assert "NotNullViolation, SQLSTATE 23502" in done.stderr
    assert "it broke" in done.stderr  # and is not cut up by the error that says nothing


SDK = """
import logging
from types import SimpleNamespace
from checkout.runtime.log_context import remember_run
from checkout.runtime.logs import configure_logs
from checkout.runtime.settings import load_settings
configure_logs(load_settings(log_format="json"), process="worker")
logging.getLogger("temporalio.worker").warning("a task failed", extra={
    "temporal_workflow": {"workflow_id": "checkout-cart_1", "run_id": "r", "workflow_type": "Checkout", "attempt": 2},
    "__temporal_error_identifier": "WorkflowTaskFailure"})
logging.getLogger("temporalio.core").warning("a call failed", extra={
    "temporal_log": SimpleNamespace(fields={"run_id": "r", "error": "away"})})
remember_run("s", workflow_id="checkout-cart_1", checkout_id="chk_1_2")
remember_run("s", phase="price_lock")
logging.getLogger("temporalio.core").warning("a task failed", extra={
    "temporal_log": SimpleNamespace(fields={"run_id": "s"})})
logging.getLogger("temporalio.activity").warning("an attempt failed", extra={
    "temporal_activity": {"workflow_id": "notify-order.placed-chk_3_4", "workflow_run_id": "t"}})
"""


def test_what_the_sdk_says_has_our_names() -> None:
    done = subprocess.run([sys.executable, "-c", SDK], capture_output=True, text=True, timeout=60, check=True)
    task, call, of_run, beside = ({**json.loads(line), "time": ""} for line in done.stderr.splitlines())
    assert task == {
        "event": "a task failed",
        "level": "warning",
        "logger": "temporalio.worker",
        "process": "worker",
        "time": "",
        "workflow_id": "checkout-cart_1",
        "cart_id": "cart_1",
        "run_id": "r",
        "workflow": "Checkout",
        "attempt": 2,
    }
    assert call == {
        "event": "a call failed",
        "level": "warning",
        "logger": "temporalio.core",
        "process": "worker",
        "time": "",
        "run_id": "r",
        "error": "away",
    }
    assert (of_run["checkout_id"], of_run["cart_id"]) == ("chk_1_2", "cart_1")
    assert (of_run["workflow_id"], of_run["phase"]) == ("checkout-cart_1", "price_lock")
    assert (beside["checkout_id"], beside["cart_id"]) == ("chk_3_4", "cart_3")
