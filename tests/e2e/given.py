"""The shop on servers that are there already: what the end-to-end tests use where a variable names one of yours."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from checkout.cli.children import PythonProcess
from checkout.runtime.embedded.account import Account
from checkout.runtime.embedded.process import last_lines
from checkout.runtime.settings import Settings
from tests.e2e.stack import Stack
from tests.support.databases import fresh_database
from tests.support.dev import PATIENCE
from tests.support.temporal import temporal_settings


class GivenStack(Stack):
    """The gateway, the worker and the API, each by its command as in a deployment, on a database and a Temporal
    namespace that outlive them.

    It has no server to end: a test that kills one, or tries `checkout dev` itself, brings its own.
    """

    def __init__(self, directory: Path, database_url: str, temporal: Settings) -> None:
        super().__init__(directory)
        self.data.mkdir()
        self._database_url = database_url
        self._gateway_url = f"http://127.0.0.1:{self.environment['CHECKOUT_GATEWAY_PORT']}"
        self.environment |= {
            "CHECKOUT_DATABASE_URL": database_url,
            "CHECKOUT_TEMPORAL_ADDRESS": temporal.temporal_address,
            "CHECKOUT_TEMPORAL_NAMESPACE": temporal.temporal_namespace,
            "CHECKOUT_TEMPORAL_TASK_QUEUE": f"e2e-{secrets.token_hex(6)}",
            "CHECKOUT_GATEWAY_URL": self._gateway_url,
            "CHECKOUT_WORKER_METRICS_PORT": "0",
            "CHECKOUT_GATEWAY_WEBHOOK_URL": f"{self.url}/payments/webhooks/simulated",
            **{f"CHECKOUT_{name}": secrets.token_urlsafe(32) for name in _SECRETS},
        }
        self._children: list[PythonProcess] = []

    @property
    def database_url(self) -> str:
        """The libpq URI of the shop's database."""
        return self._database_url

    def start(self, account: Account | None = None) -> None:
        """Migrate, and start the processes. Raises ServerFault with the end of a log where one does not come up."""
        assert account is None, "only `checkout dev` runs servers as another user"
        self.run("migrate", "--demo", "--search-attributes")
        ready_file = self.data / "worker.ready"
        self._children = [
            self._child("gateway", "gateway", url=f"{self._gateway_url}/health"),
            self._child("worker", "worker", "--ready-file", str(ready_file), ready_file=ready_file),
            self._child("api", "api", url=f"{self.url}/health/ready"),
        ]
        for process in self._children:
            process.start()
        for process in self._children:
            process.wait_ready(PATIENCE)

    def stop(self) -> None:
        """End the processes; the servers stay."""
        for process in reversed(self._children):
            process.stop()

    def described(self) -> dict[str, Any]:
        """What runs, as ``dev.json`` would say it."""
        pids = {process.name: {"pid": process.pid, "metrics": process.announced or None} for process in self._children}
        return {
            **pids,
            "api": {**pids["api"], "url": self.url},
            "gateway": {**pids["gateway"], "url": self._gateway_url},
            "postgres": {"url": self._database_url},
            "temporal": {"address": self.environment["CHECKOUT_TEMPORAL_ADDRESS"]},
        }

    def said(self) -> str:
        """The ends of the processes' logs."""
        return "\n".join(f"{process.name}:\n{last_lines(process.log)}" for process in self._children)

    def _child(self, name: str, *arguments: str, **ready: Any) -> PythonProcess:
        log = self.data.parent / f"{name}.log"
        return PythonProcess(name, arguments, log, environment=lambda: self.environment, **ready)


_SECRETS = ("ADMIN_TOKEN", "GATEWAY_API_KEY", "GATEWAY_WEBHOOK_SECRET")


@contextlib.contextmanager
def given_stack(directory: Path) -> Iterator[GivenStack]:
    """A stack, not started yet, on the session's servers; its database is dropped at the end."""
    with fresh_database() as database_url:
        yield GivenStack(directory, database_url, temporal_settings())
