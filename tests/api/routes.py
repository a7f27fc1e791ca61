"""Every route of the API as its OpenAPI lists it, with a call that is right but for what a test breaks."""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from checkout.api.app import create_app
from checkout.runtime.settings import load_settings


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    settings = load_settings(database_url="postgresql:///none", secret_key="s" * 40, admin_token="a" * 20)
    return create_app(settings).openapi()


@dataclass(frozen=True)
class Route:
    """A call: where its path has names in braces, and the schema of its body when it takes one."""

    method: str
    path: str
    operation: dict[str, Any] = field(compare=False, hash=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def body(self) -> dict[str, Any] | None:
        """The richest example of its body, None where it takes none."""
        content = self.operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return None
        examples = [each["value"] for each in content["examples"].values()]
        return dict(max(examples, key=lambda example: len(json.dumps(example))))

    @property
    def for_admins(self) -> bool:
        """Whether it takes an admin's token, not a session's."""
        return self.path.startswith("/admin/")

    @property
    def needs_token(self) -> bool:
        """Whether it is refused without one."""
        return any("token_missing" in str(answer) for answer in self.operation["responses"].values())

    def url(self, **names: str) -> str:
        """The path with its names filled in."""
        given = {
            "cart_id": "cart_none",
            "checkout_id": "chk_none_none",
            "sku": "MUG",
            "reference": "ORD-NONE",
            "subject": "chk_none_none",
            "endpoint_id": "whe_none",
            "delivery_id": "whd_none",
        }
        given |= {"gateway": "simulated"} | names
        return self.path.format(**given)


def routes() -> list[Route]:
    """All of them."""
    return [
        Route(method.upper(), path, operation)
        for path, operations in document()["paths"].items()
        for method, operation in operations.items()
    ]


def taking_bodies() -> list[Route]:
    """Those that need a body."""
    return [route for route in routes() if route.operation.get("requestBody", {}).get("required")]


def fields_of(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all fields of an example, objects among them."""
    found: list[tuple[str, ...]] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += [(*path, name), *fields_of(inner, (*path, name))]
    return found


def with_value(body: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The body with another value at a path."""
    name, *rest = path
    return {**body, name: with_value(body[name], tuple(rest), value) if rest else value}


def at(body: dict[str, Any], path: tuple[str, ...]) -> Any:
    """The value at a path."""
    value: Any = body
    for name in path:
        value = value[name]
    return value
