"""The adapter when the other side does not behave: nothing but a clear answer is taken for a decline or a refusal."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from checkout.payments.adapters import connect_gateway
from checkout.payments.port import Refused, Unavailable
from checkout.payments.simulated.client import SimulatedGateway
from checkout.runtime.settings import SettingsError, load_settings
from tests.payments.conftest import Create
from tests.payments.harness import KEYS
from tests.support.gateway import API_KEY, GatewayServer, running_gateway
from tests.support.http import serve, steady_port


async def test_a_gateway_that_was_away_answers_again_over_the_same_adapter(database_url: str) -> None:
    with running_gateway(database_url, port=steady_port()) as server:
        async with server.adapter() as adapter:
            for _ in range(2):
                with pytest.raises(Refused, match="payment_not_found"):
                    await adapter.fetch("gw_1")
                await asyncio.to_thread(server.stop)
                with pytest.raises(Unavailable):
                    await adapter.fetch("gw_1")
                await asyncio.to_thread(server.start)


async def test_an_answer_that_comes_too_late_may_have_been_an_effect(
    empty_gateway: GatewayServer, gateway: SimulatedGateway, create: Create
) -> None:
    """``tok_slow`` answers seconds after it authorized: who gives up and asks again gets what was done, once."""
    created = await create("tok_slow")
    async with empty_gateway.adapter(timeout=0.5) as hasty:
        with pytest.raises(Unavailable):
            await hasty.confirm(created.payment_id, key=KEYS.confirm())
    assert (await gateway.confirm(created.payment_id, key=KEYS.confirm())).authorized == 5938
    assert [item["authorized"] for item in await empty_gateway.ledger()] == [5938]


async def test_a_wrong_key_of_ours_is_no_decline(gateway_server: GatewayServer) -> None:
    async with SimulatedGateway(gateway_server.url, "wrong") as adapter:
        with pytest.raises(Unavailable, match="401"):
            await adapter.fetch("gw_1")


ANSWERS = [
    HTMLResponse("<h1>Bad gateway</h1>", 502),
    HTMLResponse("<h1>Not here</h1>", 404),
    JSONResponse({"error": {"type": "card_error", "code": "generic_decline"}}, 500),
    JSONResponse({"error": {"type": "invalid_request", "code": "slow_down"}}, 429),
    JSONResponse({"error": "no"}, 409),
    JSONResponse({"detail": "no"}, 402),
    JSONResponse([], 400),
    JSONResponse({}, 200),
    JSONResponse({"id": "gw_1", "status": "who knows"}, 200),
    HTMLResponse("<h1>Log in</h1>", 200),
    Response(b"{", 200, media_type="application/json"),
    Response(b"", 204),
]


async def test_an_answer_that_says_nothing_about_the_payment_is_none() -> None:
    async def respond(request: Request) -> Response:
        return ANSWERS[int(request.path_params["number"])]

    app = Starlette(routes=[Route("/payments/{number}/confirm", respond, methods=["POST"])])
    with serve(app) as url:
        async with SimulatedGateway(url, API_KEY) as adapter:
            for number in range(len(ANSWERS)):
                with pytest.raises(Unavailable):
                    await adapter.confirm(str(number), key="k")


async def test_the_settings_choose_the_adapter(gateway_server: GatewayServer) -> None:
    adapter = connect_gateway(load_settings(gateway_url=gateway_server.url, gateway_api_key=API_KEY))
    try:
        with pytest.raises(Refused, match="payment_not_found"):
            await adapter.fetch("gw_1")
    finally:
        await adapter.close()


def test_no_adapter_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHECKOUT_GATEWAY_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="CHECKOUT_GATEWAY_API_KEY"):
        connect_gateway(load_settings())
