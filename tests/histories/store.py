"""Where recorded histories lie: one JSON file for each path, beside this module."""

import json
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

DIRECTORY = Path(__file__).parent


def file_of(name: str) -> Path:
    """The history of a path."""
    return DIRECTORY / f"{name}.json"


def write(name: str, history: WorkflowHistory) -> None:
    """Keep the history of a path: keys sorted, so that a new recording differs where it differs; no stack traces."""
    document = {"workflowId": history.workflow_id, "events": _untraced(history.to_json_dict()["events"])}
    file_of(name).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def read(name: str) -> WorkflowHistory:
    """The history of a path. Raises FileNotFoundError where none was recorded."""
    document = json.loads(file_of(name).read_text())
    return WorkflowHistory.from_json(document["workflowId"], {"events": document["events"]})


def recorded() -> set[str]:
    """The paths that have a history."""
    return {file.stem for file in DIRECTORY.glob("*.json")}


def _untraced(value: Any) -> Any:
    """Without stack traces: they name directories of the machine, and replay does not read them."""
    if isinstance(value, list):
        return [_untraced(one) for one in value]
    if isinstance(value, dict):
        return {name: _untraced(one) for name, one in value.items() if name != "stackTrace"}
    return value
