"""The application: routers, problems and limits. Neither SQL nor engine logic is written in a route."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from checkout.api import admin_page, documentation_page, mailbox, problems
from checkout.api.admin_catalogue import CatalogueAdmin
from checkout.api.bodies import BodyLimits
from checkout.api.documentation import describe
from checkout.api.idempotency import Idempotency
from checkout.api.log_context import LogContext
from checkout.api.metrics import Gauges
from checkout.api.resources import Resources
from checkout.api.routes import (
    admin,
    admin_orders,
    admin_webhooks,
    carts,
    checkouts,
    health,
    metrics,
    orders,
    payments,
    products,
)
from checkout.api.security import Tokens
from checkout.payments.adapters import check_gateway
from checkout.runtime.mail import mailbox_of
from checkout.runtime.settings import Settings
from checkout.runtime.tracing import request_telemetry
from checkout.store.pricing import PriceRules

STOREFRONT = (products, carts, checkouts, orders, payments)
OPERATIONS = (admin, admin_orders, admin_webhooks, health, metrics)
EXPOSED_HEADERS = ["Location", "Retry-After", "Idempotent-Replayed", "X-RateLimit-Limit", "X-RateLimit-Remaining"]


def create_app(settings: Settings) -> FastAPI:
    """The API. It starts while Postgres or Temporal is away, and says so in ``/health/ready``.

    Raises SettingsError where a secret, the database's URI, what the payment gateway needs, or the shop's own source of
    tax rates is missing.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Resources.open(settings) as resources:
            app.state.resources = resources
            app.state.gauges = Gauges(resources)
            catalogue.open(resources)
            yield

    settings.require_database_url()
    check_gateway(settings)
    PriceRules.of(settings)
    app = FastAPI(
        title="Durable Checkout",
        version=version("durable-checkout"),
        description=(
            "Carts become orders: each checkout is one durable workflow that completes or gives back all it held.\n\n"
            "Money is in minor units beside an ISO 4217 code, times are RFC 3339 in UTC, errors are RFC 9457 problems."
        ),
        lifespan=lifespan,
        telemetry=request_telemetry(),
        redoc_url=None,
        docs_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    documentation_page.install(app)
    admin_page.install(app)
    app.state.tokens = Tokens.of(settings)
    problems.install(app)
    for resource in (*STOREFRONT, *OPERATIONS):
        app.include_router(resource.router)
    describe(app)
    mailbox.install(app, mailbox_of(settings))
    catalogue = CatalogueAdmin(app, app.state.tokens)
    app.add_middleware(Idempotency)
    app.add_middleware(BodyLimits)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    app.add_middleware(LogContext)
    if settings.cors_origins:
        # The outermost, so that a page can read the problem of a refused body too.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
            expose_headers=EXPOSED_HEADERS,
        )
    return app
