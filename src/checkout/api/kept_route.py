"""The route of a checkout's status, which is asked most of all: answered from the cache where it can be.

What the cache has is answered before FastAPI resolves dependencies and builds models, which costs several times what
reading the row does. Whatever is not plain (no token, another's checkout, a query) takes the ordinary way, and so do
all problems.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param

from checkout.api.problems import Problem
from checkout.api.resources import Resources
from checkout.api.security import Session, Tokens
from checkout.store.owner import Owner


class KeptRoute(APIRoute):
    """A route ``/…/{checkout_id}`` whose answer may be kept."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The cache first, then the ordinary way."""
        ordinary = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return kept_answer(request) or await ordinary(request)

        return handle


def kept_answer(request: Request) -> Response | None:
    """The answer that is kept for whoever asks, None where there is none for him."""
    if request.scope["query_string"]:
        return None
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    if scheme.lower() != "bearer":
        return None
    state = request.app.state
    tokens: Tokens = state.tokens
    resources: Resources = state.resources
    try:
        caller = tokens.read(token)
    except Problem:
        return None
    if not isinstance(caller, Session):
        return None
    kept = resources.caches.statuses.get(request.path_params["checkout_id"])
    if kept is None or not kept.owned_by(Owner(caller.id, caller.customer_id)):
        return None
    return Response(kept.body(), media_type="application/json")
