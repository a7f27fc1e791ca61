"""What ``/docs`` says of every call: an example of what is sent, of what is answered, and of each problem."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from checkout.api.codes import kind_of
from checkout.api.models.problems import EXAMPLES, ProblemDetails
from checkout.api.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]

#: What every call that takes a body may answer.
BODY = ("malformed_json", "body_too_large", "validation_failed")
#: What every call that needs a session token may answer.
SESSION = ("token_missing", "token_invalid", "token_expired", "session_required")
#: What every call that reads or writes may answer.
STORED = ("database_unavailable",)
#: What every call that asks a workflow may answer.
ENGINE = ("database_unavailable", "temporal_unavailable")


def problem_example(code: str) -> dict[str, Any]:
    """A problem with this code."""
    kind = kind_of(code)
    return {
        "type": f"urn:checkout:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "code": code,
        **EXAMPLES.get(code, {}),
    }


def answer(description: str, example: dict[str, Any]) -> dict[str, Any]:
    """A ``responses`` entry for an answer of the route's own model, with an example of its own."""
    schema = {"$ref": "#/components/schemas/Checkout"}
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}


def problems(*codes: str) -> Responses:
    """The ``responses`` of a route that may answer these problems."""
    answers: Responses = {}
    for code in dict.fromkeys(codes):
        example = problem_example(code)
        answer = answers.setdefault(
            example["status"],
            {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}, "examples": {}}}},
        )
        examples = answer["content"][MEDIA_TYPE]["examples"]
        examples[code] = {"summary": example["title"], "value": example}
        answer["description"] = ", ".join(f"`{each}`" for each in examples)
    return answers


def describe(app: FastAPI) -> None:
    """Make the application's OpenAPI carry the problems' schema, and each model's example beside each use of it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document["components"]["schemas"]
            schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
            for media in _media(document):
                _add_examples(media, schemas)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _media(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for operation in path.values():
            yield from operation.get("requestBody", {}).get("content", {}).values()
            for answer in operation["responses"].values():
                yield from answer.get("content", {}).values()


def _add_examples(media: dict[str, Any], schemas: dict[str, Any]) -> None:
    if "examples" in media or "example" in media:
        return
    options = media.get("schema", {}).get("anyOf", [media.get("schema", {})])
    for option in options:
        name = option.get("$ref", "").rpartition("/")[2]
        examples = schemas.get(name, {}).get("examples", [])
        if examples:
            media["examples"] = {f"example {n}": {"value": value} for n, value in enumerate(examples, 1)}
            return
