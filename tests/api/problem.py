"""What every error answer must be."""

from typing import Any

import httpx


def problem(answer: httpx.Response, status: int, code: str, *fields: str) -> dict[str, Any]:
    """The body of a problem with this status and code that names these fields."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert (body["status"], body["code"]) == (status, code), body
    assert body["type"].endswith(code)
    assert body["detail"]
    assert [error["field"] for error in body.get("errors", [])] == list(fields), body
    for error in body.get("errors", []):
        assert error["message"][0].islower(), f"the sentence is pydantic's and not ours: {error}"
    if status in {503, 429}:
        assert int(answer.headers["retry-after"]) >= 1
    return body
