"""The server: ``python -m tests.support.stripe PORT``, on 127.0.0.1. It forgets everything when it ends.

``/_config/…`` is not Stripe's: ``POST /_config/webhooks/{id}`` and ``DELETE /_config/data`` are localstripe's own,
``POST /_config/faults`` says what goes wrong, ``/_config/3ds/{id}`` is the buyer's page (and takes
``{"outcome": "approve" | "deny"}``).
"""

import random
import string
import sys
from typing import Any

from aiohttp import web
from localstripe import resources

from tests.support.stripe import intents, methods
from tests.support.stripe.idempotency import Fault, Idempotency

_PAGE = """<!doctype html><title>3-D Secure</title><form method="post">
<button name="outcome" value="approve">Approve</button> <button name="outcome" value="deny">Deny</button></form>"""


def _id(_length: int) -> str:
    """As long as Stripe's ids are, with a digit in front."""
    return "1" + "".join(random.choices(string.ascii_letters + string.digits, k=23))


def application() -> web.Application:
    """localstripe's application with our resources in the place of its own."""
    keys = Idempotency()
    resources.random_id = _id
    resources.Store.dump_to_disk = lambda _: None  # one file for all users of a machine, written with each request
    resources.schedule_webhook = lambda _: None  # ``webhooks.tell`` sends
    replaced = {"PaymentIntent": intents.Intent, "PaymentMethod": methods.Method, "Charge": intents.Charge}
    for name, ours in {**replaced, "Refund": intents.Refund}.items():
        setattr(resources, name, ours)
    resources.extra_apis[:] = [
        (verb, path, getattr(intents.Intent, function.__name__) if "/payment_intents/" in path else function)
        for verb, path, function in resources.extra_apis
    ]
    # Only now: it takes the resources' classes as it is imported.
    from localstripe.server import app

    async def middleware(request: web.Request, handler: Any) -> web.StreamResponse:
        if (request.method, request.path) == ("DELETE", "/_config/data"):
            keys.clear()
        return await keys(request, handler)

    async def faults(request: web.Request) -> web.Response:
        keys.faults.append(Fault(**await request.json()))
        return web.json_response({})

    async def authenticate(request: web.Request) -> web.Response:
        intent = intents.Intent._api_retrieve(request.match_info["id"])
        if request.method == "GET":
            return web.Response(text=_PAGE, content_type="text/html")
        given = await request.json() if request.content_type == "application/json" else await request.post()
        intent._authenticated(given["outcome"] == "approve")
        return web.json_response({"status": intent.status})

    app.middlewares.insert(0, web.middleware(middleware))
    app.router.add_post("/_config/faults", faults)
    app.router.add_route("*", "/_config/3ds/{id}", authenticate)
    assert isinstance(app, web.Application)
    return app


if __name__ == "__main__":
    port = int(sys.argv[1])
    intents.address["base"] = f"http://127.0.0.1:{port}"
    web.run_app(application(), host="127.0.0.1", port=port, print=None, access_log=None)
