"""What ``/docs`` says of every call: an example of what is sent, of what is answered, and of each problem."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from checkout.api.codes import kind_of
from checkout.api.idempotency import KEY, MAX_KEY
from checkout.api.models.base import Answer, Request
from checkout.api.models.checkouts import EXAMPLES as CHECKOUTS
from checkout.api.models.problems import EXAMPLES, ProblemDetails
from checkout.api.problems import MEDIA_TYPE
from checkout.domain.words import State

_KEY_DESCRIPTION = (
    "Of your choice, new for each request: a repeat with the same key and body has no further effect, and is answered "
    "as the first one was, with `Idempotent-Replayed: true`. Kept for 24 hours, for this session."
)

Responses = dict[int | str, dict[str, Any]]

#: What every call that takes a body may answer.
BODY = ("malformed_json", "body_too_large", "validation_failed")
#: What every call that needs a session token may answer.
SESSION = ("token_missing", "token_invalid", "token_expired", "session_required", "rate_limited")
#: What every call that needs an admin token may answer, and, beside it, one that acts.
ADMIN = ("token_missing", "token_invalid", "token_expired", "admin_required", "rate_limited")
ACTING = (*ADMIN, "operator_required")
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


def answer(description: str, state: State) -> dict[str, Any]:
    """A ``responses`` entry: a checkout, with an example in this state."""
    schema = {"$ref": "#/components/schemas/Checkout"}
    # FastAPI drops the nulls of what a route says; the example itself is put in by `describe`.
    return {"description": description, "content": {"application/json": {"schema": schema, "example": state.value}}}


def answer_of(description: str, model: str) -> dict[str, Any]:
    """A ``responses`` entry: an answer of a model by its name, with that model's own example."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


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
            examples = {model.__name__: _examples_of(model) for base in (Answer, Request) for model in _below(base)}
            for name, schema in schemas.items():
                if examples.get(name):
                    schema["examples"] = examples[name]
            for method, operation in _operations(document):
                if method == "post" and "security" in operation:
                    _add_idempotency_key(operation)
            for media in _media(document):
                _add_examples(media, examples)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _media(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for _, operation in _operations(document):
        yield from operation.get("requestBody", {}).get("content", {}).values()
        for answer in operation["responses"].values():
            yield from answer.get("content", {}).values()


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()


def _add_idempotency_key(operation: dict[str, Any]) -> None:
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY}
    operation.setdefault("parameters", []).append(
        {"name": KEY, "in": "header", "required": False, "schema": schema, "description": _KEY_DESCRIPTION}
    )
    for status, answer in problems("idempotency_key_in_use", "idempotency_key_reused", "validation_failed").items():
        there = operation["responses"].setdefault(str(status), answer)
        content = answer["content"][MEDIA_TYPE]["examples"] | there["content"][MEDIA_TYPE]["examples"]
        there["content"][MEDIA_TYPE]["examples"] = content
        there["description"] = ", ".join(f"`{code}`" for code in content)


def _add_examples(media: dict[str, Any], examples: dict[str, list[Any]]) -> None:
    if media.get("example") in CHECKOUTS:
        media["example"] = CHECKOUTS[media["example"]]
    if "examples" in media or "example" in media:
        return
    schema = media.get("schema", {})
    for option in schema.get("anyOf", [schema]):
        found = examples.get(option.get("$ref", "").rpartition("/")[2])
        if found:
            media["examples"] = {f"example {n}": {"value": value} for n, value in enumerate(found, 1)}


def _examples_of(model: type[BaseModel]) -> list[Any]:
    extra = model.model_config.get("json_schema_extra")
    return list(extra.get("examples", [])) if isinstance(extra, dict) else []  # type: ignore[arg-type]


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in model.__subclasses__():
        yield child
        yield from _below(child)
