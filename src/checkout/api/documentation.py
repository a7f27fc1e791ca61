"""What ``/docs`` says of the answers of a route: every problem with an example."""

from typing import Any

from checkout.api.codes import kind_of
from checkout.api.problems import MEDIA_TYPE

_EXAMPLES: dict[str, dict[str, Any]] = {
    "validation_failed": {
        "detail": "Not valid: quantity.",
        "errors": [{"field": "quantity", "message": "must be 1 or more"}],
    },
    "not_ready": {
        "detail": "Away: worker.",
        "checks": {"database": "ok", "temporal": "ok", "worker": "away"},
    },
    "insufficient_stock": {
        "detail": "There is not enough of MUG-BLUE.",
        "phase": "inventory_reservation",
        "context": {"lines": [{"sku": "MUG-BLUE", "requested": 5, "available": 2}]},
        "checkout_id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
    },
    "payment_declined": {
        "detail": "The card was declined.",
        "phase": "payment_authorization",
        "context": {"reason": "card_declined"},
        "checkout_id": "chk_4x8pk2mvq0tz9d3h7wca_8n2c5rk1fy",
        "attempts_left": 2,
    },
}


def example(code: str) -> dict[str, Any]:
    """A problem with this code."""
    kind = kind_of(code)
    return {
        "type": f"urn:checkout:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "code": code,
        **_EXAMPLES.get(code, {}),
    }


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer these problems."""
    answers: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = kind_of(code)
        answer = answers.setdefault(
            kind.status,
            {
                "description": kind.title,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        examples = answer["content"][MEDIA_TYPE]["examples"]
        examples[code] = {"value": example(code)}
        if len(examples) > 1:
            answer["description"] = "One of: " + ", ".join(f"`{each}`" for each in examples)
    return answers
