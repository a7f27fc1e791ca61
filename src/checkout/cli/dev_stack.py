"""The shop back end on one machine, from two wheels and a directory: what ``checkout dev`` runs."""

import contextlib
import errno
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from rich.console import Console

from checkout.cli.children import Directories, PythonProcess, answers, end_leftovers, record
from checkout.cli.supervisor import Child, Supervisor
from checkout.payments.adapters import check_gateway
from checkout.runtime.embedded.ports import obstacle
from checkout.runtime.embedded.postgres import EmbeddedPostgres
from checkout.runtime.embedded.temporal import EmbeddedTemporal
from checkout.runtime.mail import MAILBOX, mailbox_of
from checkout.runtime.settings import PREFIX, Settings, SettingsError
from checkout.runtime.stack import (
    STACK_FILE,
    AlreadyRuns,
    ensure_secrets,
    environment_of,
    hold,
    running_stack,
    write_private,
)

DATABASE = "checkout"

_PORTS = {
    "http_port": "the API",
    "gateway_port": "the payment gateway",
    "temporal_port": "Temporal",
    "temporal_ui_port": "the Temporal UI",
    "worker_metrics_port": "the worker's metrics",
}
#: Those on the address of the setting ``HOST``; the others are on 127.0.0.1.
_ON_HOST = {"http_port", "gateway_port", "worker_metrics_port"}

out = Console(highlight=False, soft_wrap=True)


def run_stack(settings: Settings) -> None:
    """Run the stack that the settings describe until Ctrl-C or SIGTERM.

    Raises SettingsError where a port is taken, the payment gateway lacks a setting or the directory has a stack
    already, ServerFault where a part of it does not start.
    """
    check_gateway(settings)
    directories = Directories.make(settings.data_dir)
    try:
        with hold(directories.data):
            for name in end_leftovers(directories):
                out.print(f"ended a {name} that an earlier run had left", style="yellow")
            check_ports(settings)
            _Stack(settings, directories).run()
    except AlreadyRuns as other:
        stack = running_stack(directories.data)
        where = f": {stack['api']['url']}" if stack else ""
        raise SettingsError(
            f"{other} on {settings.data_dir}{where}; stop it, or set {PREFIX}DATA_DIR and the ports for a second one"
        ) from None


def check_ports(settings: Settings) -> None:
    """Raise SettingsError, a line for each port that is taken: by whom, where that can be seen, and what to set."""
    lines = []
    wanted: dict[int, str] = {}
    for name, whose in _PORTS.items():
        if name == "gateway_port" and not _simulates(settings):
            continue
        port: int | None = getattr(settings, name)
        if not port:  # any that is free
            continue
        variable = PREFIX + name.upper()
        host = settings.host if name in _ON_HOST else "127.0.0.1"
        if port in wanted:
            lines.append(f"{variable} and {wanted[port]} are both {port}: set one to another port")
        elif (error := obstacle(port, host)) is not None:
            lines.append(_explain(error, port, whose, variable, host))
        wanted.setdefault(port, variable)
    if lines:
        raise SettingsError(*dict.fromkeys(lines))


def _explain(error: OSError, port: int, whose: str, variable: str, host: str) -> str:
    """Why a port cannot be listened on, and what to set."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port}, for {whose}, is taken{_taken_by(port)}: set {variable} to another one"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{PREFIX}HOST is {host!r}, needed: an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all"
    why = (error.strerror or str(error)).lower()
    return f"port {port}, for {whose}, cannot be listened on ({why}): set {variable} to another one"


def _simulates(settings: Settings) -> bool:
    """Whether the payment gateway is the simulated one, which runs here; another is somewhere else."""
    return settings.payment_gateway == "simulated"


def _taken_by(port: int) -> str:
    with contextlib.suppress(psutil.Error):  # other users' sockets are not shown to us
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


class _Stack:
    """The children of one ``checkout dev``, and what it says about them."""

    def __init__(self, settings: Settings, directories: Directories) -> None:
        self._settings, self._directories = settings, directories
        self._begun = time.monotonic()
        self._complete = False
        self._secrets = ensure_secrets(directories.data) | {
            name: settings.secret(name)
            for name in ("secret_key", "admin_token", "gateway_api_key", "gateway_webhook_secret")
            if getattr(settings, name) is not None
        }
        host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
        self._api_url, self._gateway_url = (
            f"http://{f'[{host}]' if ':' in host else host}:{port}"
            for port in (settings.http_port, settings.gateway_port)
        )
        self._postgres = EmbeddedPostgres(directories.data / "postgres", log=directories.log("postgres"))
        self._temporal = EmbeddedTemporal(
            directories.data / "temporal" / "temporal.db",
            log=directories.log("temporal"),
            port=settings.temporal_port,
            ui_port=settings.temporal_ui_port,
            namespace=settings.temporal_namespace,
        )
        self._children = self._family()
        self._supervisor = Supervisor(
            list(self._children.values()), started=self._on_start, ready=self._on_ready, died=self._on_death
        )

    def run(self) -> None:
        """Start everything, say where it is, keep it running until Ctrl-C or SIGTERM, and stop it."""
        with self._signals():
            try:
                with out.status("starting"):
                    self._supervisor.run(until=self._sells)
                if not self._supervisor.asked_to_stop:
                    self._complete = True
                    self._describe()
                    self._announce()
                    self._supervisor.run()
            finally:
                (self._directories.data / STACK_FILE).unlink(missing_ok=True)
                with out.status("stopping"):
                    self._supervisor.stop()
                record(self._directories, [])
        out.print("stopped")

    def _sells(self) -> bool:
        """Whether every child is ready and the API sees database, Temporal and a polling worker."""
        return self._supervisor.all_ready() and answers(f"{self._api_url}/health/ready", seconds=5)

    def _family(self) -> dict[str, Child]:
        def python(name: str, arguments: list[str], **ready: Any) -> PythonProcess:
            return PythonProcess(name, arguments, self._directories.log(name), environment=self._environment, **ready)

        postgres = Child(self._postgres)
        temporal = Child(self._temporal)
        schema = Child(python("migrate", ["migrate", "--demo"]), needs=[postgres], job=True)
        gateway = Child(python("gateway", ["gateway"], url=f"{self._gateway_url}/health"), needs=[postgres, schema])
        api = Child(python("api", ["api"], url=f"{self._api_url}/health/live"), needs=[postgres, schema, temporal])
        worker_ready = self._directories.data / "worker.ready"
        self._worker = python("worker", ["worker", "--ready-file", str(worker_ready)], ready_file=worker_ready)
        worker = Child(self._worker, needs=[postgres, schema, temporal])
        ours = [gateway] if _simulates(self._settings) else []
        return {child.name: child for child in (postgres, temporal, schema, *ours, worker, api)}

    def _environment(self) -> Mapping[str, str]:
        given = {
            "data_dir": str(self._directories.data),
            "database_url": self._postgres.uri(DATABASE),
            "temporal_address": self._temporal.address,
            "temporal_ui_url": self._temporal.ui or "",
            "gateway_url": self._gateway_url,
            **self._mail(),
            "webhook_allow_http": "true",
            "gateway_webhook_url": f"{self._api_url}/payments/webhooks/simulated",
            "worker_metrics_port": str(self._settings.worker_metrics_port or 0),
            **self._secrets,
        }
        return environment_of(given) | {f"{PREFIX}LOG_FORMAT": os.environ.get(f"{PREFIX}LOG_FORMAT", "console")}

    def _mail(self) -> dict[str, str]:
        """What else the children are told of e-mails: that they are kept, and who sends them."""
        if mailbox_of(self._settings) is None:
            return {}
        return {"smtp_url": MAILBOX, "mail_from": self._settings.mail_from or ""}

    def _on_start(self, child: Child) -> None:
        record(self._directories, (each.process for each in self._children.values()))
        if self._complete:
            self._describe()
            out.print(f"{child.name} started again (pid {child.process.pid})")

    def _on_ready(self, child: Child) -> None:
        if child.process is self._postgres:
            self._postgres.ensure_database(DATABASE)
        if self._complete:
            self._describe()
        else:
            out.print(f"[green]✓[/green] {child.name} [dim]{time.monotonic() - self._begun:.1f} s[/dim]")

    def _on_death(self, child: Child, how: str) -> None:
        out.print(f"{child.name} ended {how}; its log is {_shown(child.process.log)}", style="yellow")

    def _describe(self) -> None:
        """Replace ``dev.json``."""
        pids = {name: child.process.pid for name, child in self._children.items()}
        stack = {
            "api": {"url": self._api_url, "pid": pids["api"]},
            "worker": {"pid": pids["worker"], "metrics": self._worker.announced or None},
            "temporal": {"address": self._temporal.address, "ui": self._temporal.ui, "pid": pids["temporal"]},
            "postgres": {"url": self._postgres.uri(DATABASE), "pid": pids["postgres"]},
            "gateway": {"url": self._gateway_url, "pid": pids["gateway"]} if "gateway" in pids else None,
            "admin_token": self._secrets["admin_token"],
        }
        write_private(self._directories.data / STACK_FILE, stack)

    def _announce(self) -> None:
        lines = {
            "API": f"{self._api_url}  (documentation: {self._api_url}/docs)",
            "Admin page": f"{self._api_url}/admin",
            "Temporal UI": str(self._temporal.ui),
            "Gateway": self._gateway_url if _simulates(self._settings) else self._settings.payment_gateway,
            "Temporal": self._temporal.address,
            "Metrics": f"{self._api_url}/metrics, {self._worker.announced}",
            "PostgreSQL": self._postgres.uri(DATABASE),
            **({"E-mails": f"{self._api_url}/dev/mailbox"} if mailbox_of(self._settings) else {}),
            "Admin token": self._secrets["admin_token"],
            "Logs": _shown(self._directories.data / "logs"),
        }
        out.print(f"\nReady in {time.monotonic() - self._begun:.1f} s. Ctrl-C stops all of it.\n", style="bold")
        for name, value in lines.items():
            out.print(f"  {name:12} {value}", markup=False)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def asked(_number: int, _frame: FrameType | None) -> None:
            self._supervisor.ask_to_stop()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, asked)
        yield


def _shown(path: Path) -> str:
    """The path as people near it would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
