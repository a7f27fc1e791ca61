"""``/docs``: every call has an example of what is sent and of each answer, and the examples are true."""

import csv
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from checkout.api.codes import KINDS, failure_status
from checkout.api.models import (
    admin,
    admin_checkout,
    carts,
    checkouts,
    diagnosis,
    orders,
    payments,
    products,
    refunds,
    statistics,
    webhooks,
)
from checkout.api.models.problems import ProblemDetails
from checkout.api.routes import health
from tests.api.routes import Route, document, routes
from tests.support.metrics import Scrape

MODULES = (
    admin,
    admin_checkout,
    carts,
    checkouts,
    diagnosis,
    orders,
    payments,
    products,
    refunds,
    statistics,
    health,
    webhooks,
)
MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for module in MODULES
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, BaseModel)
}


def examples(media: dict[str, Any]) -> list[Any]:
    return [media["example"]] if "example" in media else [each["value"] for each in media["examples"].values()]


def model_of(media: dict[str, Any]) -> type[BaseModel]:
    schema = media["schema"]
    name = next(each["$ref"] for each in (schema, *schema.get("anyOf", [])) if "$ref" in each).rpartition("/")[2]
    return ProblemDetails if name == "ProblemDetails" else MODELS[name]


def read_events(example: str) -> None:
    for line in example.splitlines():
        if line.startswith("data: "):
            data = line.removeprefix("data: ")
            (admin.Changes if '{"ids"' in data else checkouts.Checkout).model_validate_json(data)


def read_metrics(example: str) -> None:
    assert Scrape.of(example).names()


#: What is no JSON, and so has no model.
READERS: dict[str, Callable[[str], None]] = {"text/event-stream": read_events, "text/plain": read_metrics}


@pytest.mark.parametrize("route", routes(), ids=str)
def test_every_call_has_true_examples(route: Route) -> None:
    assert route.operation["summary"]
    assert route.operation["description"]
    for media in route.operation.get("requestBody", {}).get("content", {}).values():
        for example in examples(media):
            model_of(media).model_validate(example)
    succeeding = [status for status in route.operation["responses"] if status.startswith("2")]
    assert succeeding
    for status, answer in route.operation["responses"].items():
        assert answer["description"]
        for kind, media in answer["content"].items():
            assert examples(media)
            for example in examples(media):
                if kind in READERS:
                    READERS[kind](example)
                    continue
                shown = model_of(media).model_validate(example)
                if isinstance(shown, ProblemDetails):
                    assert str(shown.status) == status


def skus_in(shown: Any) -> set[str]:
    """Every SKU of an example, however deep."""
    if isinstance(shown, dict):
        own = {shown["sku"]} if isinstance(shown.get("sku"), str) else set()
        return own.union(*map(skus_in, shown.values()))
    return set().union(*map(skus_in, shown)) if isinstance(shown, list) else set()


def test_what_the_examples_buy_is_sold_in_the_demo_shop() -> None:
    """Whoever tries a call in ``/docs`` as it stands there on `checkout dev` finds the goods."""
    with (files("checkout.store.demo") / "products.csv").open(encoding="utf-8") as file:
        sold = {row["Variant SKU"] for row in csv.DictReader(file)}
    shown = set()
    for route in routes():
        for each in route.operation.get("parameters", []):
            shown |= {example["value"] for example in each.get("examples", {}).values() if each["name"] == "sku"}
        for answer in [route.operation.get("requestBody", {}), *route.operation["responses"].values()]:
            for kind, media in answer.get("content", {}).items():
                shown |= skus_in(examples(media)) if kind not in READERS else set()
    assert shown
    assert shown <= sold


def test_every_documented_problem_is_of_a_known_code_and_every_code_is_documented() -> None:
    documented = {
        code
        for route in routes()
        for answer in route.operation["responses"].values()
        for code in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    undocumented = {"route_not_found", "method_not_allowed", "internal_error"}  # of no route, or of every one
    assert documented <= KINDS.keys()
    assert KINDS.keys() - documented - undocumented == set()


@pytest.mark.parametrize("route", [route for route in routes() if route.method == "POST"], ids=str)
def test_every_post_with_a_token_says_that_it_may_be_repeated(route: Route) -> None:
    named = [one["name"] for one in route.operation.get("parameters", []) if one["in"] == "header"]
    assert ("Idempotency-Key" in named) == (not route.path.startswith("/payments/webhooks"))
    assert ("idempotency_key_in_use" in str(route.operation["responses"])) == ("Idempotency-Key" in named)


def test_names_of_the_problems_schema_are_there() -> None:
    assert document()["components"]["schemas"]["ProblemDetails"]["properties"].keys() >= {"type", "code", "errors"}


def test_the_guide_lists_every_code_with_its_status() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    rows = re.findall(r"^\| (\d{3}) \| ((?:`\w+`(?:, )?)+) \|", guide, re.MULTILINE)
    listed = {(code, int(status)) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    known = {(code, kind.status) for code, kind in KINDS.items()} | {
        ("total_mismatch", failure_status("total_mismatch"))
    }
    assert listed == known
