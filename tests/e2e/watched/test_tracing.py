"""One trace for a sale: from the request through the workflow and its activities to each statement and gateway call."""

import secrets
from collections.abc import Callable, Mapping

import pytest

from tests.e2e.storefront import CARD, Buyer
from tests.e2e.watched.stack import GROUP, WatchedStack
from tests.support.collector import Span
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group(GROUP)


def line_of(span: Span, spans: Mapping[str, Span]) -> list[str]:
    """The names of a span and of those that it is in, the outermost first."""
    names = [span.name]
    while span.parent_id in spans:
        span = spans[span.parent_id]
        names.insert(0, span.name)
    return names


async def test_a_sale_is_one_trace(stack: WatchedStack, buyer: Callable[[], Buyer], sku: str) -> None:
    ada = await buyer().fill({sku: 1})
    trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
    ada.client.headers["traceparent"] = f"00-{trace_id}-{caller}-01"
    ada.client.headers["baggage"] = "mail=marked-mail"
    await ada.start(payment=CARD)
    del ada.client.headers["traceparent"]
    assert (await ada.until_closed())["state"] == "completed"

    async def found() -> dict[str, Span]:
        spans = stack.collector.of(trace_id)
        names = {span.name for span in spans.values()}
        return spans if {"POST /checkouts", "RunActivity:stock_commit", "CompleteWorkflow:Checkout"} <= names else {}

    spans = await eventually(found, "the spans of the sale")
    assert {span.service for span in spans.values()} == {"checkout-api", "checkout-worker"}
    [request] = [span for span in spans.values() if span.name == "POST /checkouts"]
    assert request.parent_id == caller

    lines = [line_of(span, spans) for span in spans.values()]
    assert all(line[0] == "POST /checkouts" for line in lines)
    begun = ["POST /checkouts", "StartUpdateWithStartWorkflow:Checkout"]
    assert [*begun, "RunWorkflow:Checkout"] in lines
    for phase, work in ("cart_validation", "INSERT checkouts"), ("payment_authorization", "POST"):
        activity = [*begun, f"StartActivity:{phase}", f"RunActivity:{phase}"]
        assert [*activity, work] in lines, [line for line in lines if activity[-1] in line]
    # The request's own statements are in it too.
    assert [span for span in spans.values() if span.parent_id == request.id and span.attributes.get("db.system.name")]


async def test_what_monitors_ask_and_what_nobody_asked_for_is_no_trace(stack: WatchedStack) -> None:
    """Listeners, couriers and probes send statements all the time."""
    names = {span.name for span in stack.collector.spans if not span.parent_id}
    assert not {name for name in names if name.startswith(("SELECT", "LISTEN", "GET /health", "GET /metrics"))}
