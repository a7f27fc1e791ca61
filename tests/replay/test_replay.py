"""Running checkouts survive the workflow as it is now: the history of every path is replayed (G8)."""

import base64
import json
import re
from pathlib import Path as File
from typing import Any

import pytest
from temporalio.worker import Replayer

from checkout.domain.contract import MEMO_CHECKOUT_ID
from checkout.runtime import log_context
from checkout.runtime.temporal import data_converter
from checkout.worker import WORKFLOWS, workflow_runner
from tests.histories.beside import BESIDE, Beside
from tests.histories.paths import PATHS, Path
from tests.histories.repairs import REPAIRS
from tests.histories.store import file_of, read, recorded
from tests.support.shop import ADDRESS

ALL: list[Path | Beside] = [*PATHS, *BESIDE, *REPAIRS]
NAMES = [path.name for path in ALL]


def _record(name: str) -> str:
    return f'make histories PATHS="{name}"'


def test_every_path_has_a_history_and_every_history_a_path() -> None:
    assert len(set(NAMES)) == len(NAMES), "two paths share a name"
    missing, stray = sorted(set(NAMES) - recorded()), sorted(recorded() - set(NAMES))
    assert not missing, f"paths without a history, record them with: {_record(' '.join(missing))}"
    assert not stray, f"histories of no path in tests/histories, delete them: {', '.join(stray)}"


@pytest.mark.parametrize("path", ALL, ids=NAMES)
async def test_replay(path: Path | Beside) -> None:
    if not file_of(path.name).exists():
        pytest.fail(f"path {path.name} has no history, record it with: {_record(path.name)}")
    failure = await replay_failure(path.name)
    if failure is not None:
        pytest.fail(
            f"path {path.name}: workflows that run now would break, because their history (recorded in "
            f"{file_of(path.name).relative_to(File.cwd())}) no longer replays:\n  {failure}\n"
            "Guard the change with `if workflow.patched('name-of-the-change'):` and keep the old branch, so that the "
            f"history replays. Only where none of the old kind can still be running: {_record(path.name)}"
        )


async def replay_failure(name: str) -> Exception | None:
    """What the replay of a recorded path ends with, as workers run it and in the sandbox; None when it is as it was."""
    for sandboxed in (False, True):
        runner = workflow_runner(sandboxed=sandboxed)
        replayer = Replayer(
            workflows=WORKFLOWS, workflow_runner=runner, data_converter=data_converter(), debug_mode=sandboxed
        )
        result = await replayer.replay_workflow(read(name), raise_on_replay_failure=False)
        if result.replay_failure is not None:
            return result.replay_failure
    return None


@pytest.mark.parametrize("name", sorted(recorded()))
def test_histories_hold_nothing_personal(name: str) -> None:
    """No addresses, e-mails, card tokens (G7), and nothing of the machine that recorded them."""
    text = file_of(name).read_text()
    everything = text + "\n".join(_payloads(json.loads(text)))
    personal = [value for part, value in ADDRESS.items() if part != "country"]
    for secret in (*personal, "@", "tok_", "stackTrace", str(File.cwd()), str(File.home())):
        assert secret not in everything, f"{name}.json holds {secret!r}"
    identities = set(re.findall(r'"identity": "([^"]*)"', text))
    assert identities <= {"recorder"}, identities


def _payloads(value: Any) -> list[str]:
    """Every payload of a history, decoded."""
    if isinstance(value, list):
        return [text for one in value for text in _payloads(one)]
    if not isinstance(value, dict):
        return []
    found = [text for one in value.values() for text in _payloads(one)]
    if "metadata" in value and isinstance(value.get("data"), str):
        found.append(base64.b64decode(value["data"]).decode())
    return found


async def test_a_run_is_known_to_be_of_its_checkout() -> None:
    """What the SDK says of a workflow task that fails names the run alone."""
    history = read(PATHS[0].name)
    started = history.events[0].workflow_execution_started_event_attributes
    checkout_id = json.loads(started.memo.fields[MEMO_CHECKOUT_ID].data)
    log_context._runs.clear()
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=workflow_runner(), data_converter=data_converter())
    await replayer.replay_workflow(history)
    [known] = log_context._runs.values()
    assert (known["checkout_id"], known["workflow_id"]) == (checkout_id, history.workflow_id)
