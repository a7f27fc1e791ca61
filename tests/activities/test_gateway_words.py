"""Whatever a gateway, or a proxy in its place, says instead of doing its work is for ops, and in no history."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from checkout.payments.port import Gateway
from checkout.payments.simulated.client import SimulatedGateway
from checkout.payments.stripe.client import StripeGateway
from tests.activities.paying import Paying
from tests.support.gateway import API_KEY, Interposed
from tests.support.http import serve
from tests.support.stripe.server import SECRET_KEY

NAME, STREET = "Jane Doe", "1 Main Street"
PERSONAL = f"no payment for {NAME}, {STREET}"


def error(code: str | None, message: str, kind: str = "invalid_request_error") -> str:
    return json.dumps({"error": {"type": kind, "code": code, "message": message}})


NO_PAYMENT = dict.fromkeys(("id", "checkout_id", "attempt_id", "status", "currency"), PERSONAL) | {"decline_code": None}
#: Status, body, and whether the attempt is tried again.
ANSWERS: dict[str, tuple[int, str, bool]] = {
    "fault": (500, error("api_error", PERSONAL, "api_error"), True),
    "page of a proxy": (502, f"<html>{PERSONAL}</html>", True),
    "forbidden": (403, error(None, PERSONAL), True),
    "no payment": (200, json.dumps(NO_PAYMENT), True),
    "no JSON": (200, PERSONAL, True),
    "refused": (400, error("not_for_her", PERSONAL), False),
    "refused by a sentence": (400, error(PERSONAL, PERSONAL), False),
}


@asynccontextmanager
async def saying(name: str, status: int, body: str) -> AsyncIterator[Gateway]:
    """An adapter to a gateway that answers everything so."""

    async def answer(_request: Request) -> Response:
        return Response(body, status, media_type="application/json")

    methods = ["GET", "POST"]
    with serve(Starlette(routes=[Route("/{path:path}", answer, methods=methods)])) as url:
        made = SimulatedGateway(url, API_KEY) if name == "simulated" else StripeGateway(SECRET_KEY, api_base=url)
        async with made as adapter:
            yield adapter


@pytest.mark.parametrize("name", ["simulated", "stripe"])
@pytest.mark.parametrize("case", ANSWERS)
async def test_no_history_has_what_it_says(paying: Paying, name: str, case: str) -> None:
    status, body, again = ANSWERS[case]
    attempt = await paying.attempt("tok_visa" if name == "simulated" else "pm_card_visa")
    async with saying(name, status, body) as adapter:
        paying.gateway = Interposed(adapter)
        with pytest.raises(ApplicationError) as failed:
            await paying.authorize(attempt)
    assert failed.value.non_retryable is not again
    kept = Failure()
    await DataConverter.default.encode_failure(failed.value, kept)
    for part in (NAME, STREET):
        assert part not in str(kept)
        assert part.encode() not in kept.SerializeToString()
    [step] = paying.execute("SELECT last_error FROM checkout_steps WHERE checkout_id = %s", paying.checkout_id) or [{}]
    told = str(step.get("last_error")) + str(paying.row(attempt)["gateway_detail"])
    assert NAME in told or case in {"no JSON", "page of a proxy"}, told
