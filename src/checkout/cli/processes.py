"""The processes of a deployment, one command each: migrations, API, worker, simulated gateway."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal, NoReturn

import structlog
import typer
from starlette.types import ASGIApp

from checkout.cli.store import with_store
from checkout.runtime.embedded import ServerFault
from checkout.runtime.logs import configure_logs
from checkout.runtime.settings import PREFIX, Settings, SettingsError
from checkout.runtime.stack import settings_of_stack
from checkout.runtime.tracing import start_tracing, stop_tracing

#: Seconds for requests, and streams of events, that are open when the process is told to stop.
GRACE = 5
#: Seconds that an idle connection stays open: longer than the minute after which proxies let go of theirs, so that none
#: sends a request into a connection that is just being closed.
KEEP_ALIVE = 75


def migrate(
    demo: Annotated[bool, typer.Option("--demo", help="Fill an empty shop with the demo catalogue")] = False,
    search_attributes: Annotated[
        bool,
        typer.Option("--search-attributes", help="Also register the search attributes that Temporal's namespace lacks"),
    ] = False,
) -> None:
    """Bring the database to the newest schema. Harmless to repeat, also by several at once.

    Examples: `CHECKOUT_DATABASE_URL=postgresql://shop@db/shop checkout migrate`, or, on a Temporal cluster of your own,
    `checkout migrate --search-attributes`
    """
    from checkout.store.migrate import current_revision, head_revision, is_known, upgrade

    settings = settings_of_stack()
    configure_logs(settings, process="migrate")
    url = settings.require_database_url()
    before = current_revision(url)
    if before is not None and not is_known(before):
        raise ServerFault(
            f"the database's schema is at {before}, which a newer version has made: run that, or use another database"
        )
    upgrade(url)
    typer.echo(
        f"the schema is at {head_revision()}" + ("" if before == head_revision() else f", was {before or 'empty'}")
    )
    if demo:
        from checkout.store.demo import seed_demo

        filled = with_store(seed_demo)
        typer.echo("the shop has the demo catalogue now" if filled else "the shop has a catalogue already")

    if search_attributes:
        registered = asyncio.run(_register_search_attributes(settings))
        typer.echo(
            f"search attributes: registered {', '.join(registered)}" if registered else "search attributes: all there"
        )


async def _register_search_attributes(settings: Settings) -> list[str]:
    from checkout.runtime.temporal import connect, register_search_attributes

    return await register_search_attributes(await connect(settings))


def api() -> None:
    """Serve the HTTP API on CHECKOUT_HOST and CHECKOUT_HTTP_PORT.

    It starts, and says so in `/health/ready`, while the database or Temporal is away.

    Example: `CHECKOUT_HTTP_PORT=9000 checkout api`
    """
    from temporalio.runtime import Runtime

    from checkout.api.app import create_app
    from checkout.runtime.temporal import sdk_runtime

    settings = settings_of_stack()
    configure_logs(settings, process="api")
    Runtime.set_default(sdk_runtime(), error_if_already_set=False)
    start_tracing("api")
    try:
        _serve(create_app(settings), settings, "http_port")
    finally:
        stop_tracing()


def gateway() -> None:
    """Run the simulated payment gateway on CHECKOUT_HOST and CHECKOUT_GATEWAY_PORT.

    It keeps its own tables in the schema `gateway` of the database, and takes requests that carry
    CHECKOUT_GATEWAY_API_KEY. Events go to CHECKOUT_GATEWAY_WEBHOOK_URL, signed with CHECKOUT_GATEWAY_WEBHOOK_SECRET.

    Example: `CHECKOUT_GATEWAY_API_KEY=… checkout gateway`
    """
    from checkout.payments.simulated.courier import Endpoint
    from checkout.payments.simulated.server import create_app

    settings = settings_of_stack()
    configure_logs(settings, process="gateway")
    endpoint = None
    if settings.gateway_webhook_url is not None:
        endpoint = Endpoint(url=settings.gateway_webhook_url, secret=settings.secret("gateway_webhook_secret"))
    application = create_app(
        settings.require_database_url(),
        settings.secret("gateway_api_key"),
        public_url=settings.gateway_public_url,
        endpoint=endpoint,
    )
    _serve(application, settings, "gateway_port")


def worker(
    ready_file: Annotated[
        Path | None, typer.Option(help="A file that is there while the worker polls, for probes.", dir_okay=False)
    ] = None,
) -> None:
    """Run a worker: it takes checkouts through their phases. Any number may run; each takes its share.

    It waits for a Temporal that is away. Told to stop, it takes nothing new and lets running activities end.

    Examples: `checkout worker`, or `checkout worker --ready-file /tmp/ready`
    """
    import uvloop

    from checkout.cli.worker_process import run_worker

    settings = settings_of_stack()
    configure_logs(settings, process="worker")
    start_tracing("worker")
    try:
        uvloop.run(run_worker(settings, ready_file))  # as uvicorn runs the API: a quarter less CPU for what is awaited
    finally:
        stop_tracing()


def _serve(application: ASGIApp, settings: Settings, port_setting: Literal["http_port", "gateway_port"]) -> None:
    """Serve until SIGTERM or Ctrl-C, then let open requests end. Raises SettingsError where the port is taken."""
    import uvicorn

    port: int = getattr(settings, port_setting)
    listener = _listener(settings.host, port, port_setting)
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            server_header=False,
            # uvicorn would believe whoever connects from this machine; the API itself knows which proxies to trust.
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=KEEP_ALIVE,
        )
    )
    # uvicorn raises the signal that stopped it once more when it is done: to be told to stop is no failure.
    signal.signal(signal.SIGTERM, _stopped)
    signal.signal(signal.SIGINT, _stopped)
    structlog.get_logger(__name__).info("listening", host=settings.host, port=port)
    with listener:
        server.run(sockets=[listener])
    raise typer.Exit(0 if server.started else 1)


def _listener(host: str, port: int, port_setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the socket names its protocol; without it an answer may wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"{PREFIX}{port_setting.upper()} is {port}, which {host} cannot be served on: "
            f"{os.strerror(error.errno).lower() if error.errno else error}"
        ) from None
    return listener


def _stopped(_number: int, _frame: FrameType | None) -> NoReturn:
    raise typer.Exit(0)
