"""Where recorded histories lie: one JSON file for each path, beside this module."""

import json
from pathlib import Path

from temporalio.client import WorkflowHistory

DIRECTORY = Path(__file__).parent


def file_of(name: str) -> Path:
    """The history of a path."""
    return DIRECTORY / f"{name}.json"


def write(name: str, history: WorkflowHistory) -> None:
    """Keep the history of a path, with sorted keys, so that a new recording differs where it differs."""
    document = {"workflowId": history.workflow_id, "events": history.to_json_dict()["events"]}
    file_of(name).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


def read(name: str) -> WorkflowHistory:
    """The history of a path. Raises FileNotFoundError where none was recorded."""
    document = json.loads(file_of(name).read_text())
    return WorkflowHistory.from_json(document["workflowId"], {"events": document["events"]})


def recorded() -> set[str]:
    """The paths that have a history."""
    return {file.stem for file in DIRECTORY.glob("*.json")}
