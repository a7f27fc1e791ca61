"""A shop in which something is stuck: one checkout for each reason there is, beside ordinary ones.

Real processes as in a deployment (gateway, API, workers), a Temporal server with its UI, a database of its own. It is
built once, and what stands in it is only looked at; a test that changes something makes a checkout of its own.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout.cli.children import PythonProcess
from checkout.runtime.embedded.account import Account
from checkout.runtime.embedded.temporal import EmbeddedTemporal
from checkout.runtime.settings import PREFIX, Settings, load_settings
from tests.e2e import getting_stuck
from tests.e2e.given import GivenStack
from tests.e2e.stack import SECRET_KEY
from tests.support.databases import fresh_database
from tests.support.dev import PATIENCE
from tests.support.http import steady_port
from tests.support.proxy import Cable

#: Seconds from which a checkout counts as stuck here, so that all of them do.
STUCK_AFTER = 1


class StuckShop(GivenStack):
    """The shop's processes.

    ``checkouts`` are ids by name: of ``getting_stuck.REASONS``, and of ``ORDINARY``, which are not stuck.
    """

    def __init__(self, directory: Path, database_url: str, cable: Cable) -> None:
        self.temporal = EmbeddedTemporal(
            None, log=directory / "temporal.log", port=steady_port(), ui_port=steady_port()
        )
        super().__init__(directory, database_url, load_settings(temporal_address=self.temporal.address))
        self.cable = cable
        self.queue = self.environment["CHECKOUT_TEMPORAL_TASK_QUEUE"]
        self.checkouts: dict[str, str] = {}
        #: The database's process that holds the row which one of them waits for.
        self.held_by = 0
        self._worker_metrics = steady_port()
        self.environment |= {
            "CHECKOUT_TEMPORAL_UI_URL": str(self.temporal.ui),
            "CHECKOUT_SECRET_KEY": SECRET_KEY,
            "CHECKOUT_STUCK_AFTER": str(STUCK_AFTER),
            "CHECKOUT_OVERDUE_AFTER": str(STUCK_AFTER),
            "CHECKOUT_PAYMENT_AUTH_TIMEOUT": str(getting_stuck.HOUR),
            "CHECKOUT_PAYMENT_CAPTURE_TIMEOUT": str(getting_stuck.HOUR),
            # What was terminated is to stay as it is.
            "CHECKOUT_AUDIT_EVERY": "0",
        }

    @property
    def admin(self) -> dict[str, str]:
        """The header of an operator."""
        return {"Authorization": f"Bearer {self.environment['CHECKOUT_ADMIN_TOKEN']}"}

    @property
    def metrics(self) -> dict[str, list[str]]:
        """Where its metrics are, by the jobs of Prometheus."""
        return {
            "checkout-api": [f"{self.url}/metrics"],
            "checkout-worker": [f"http://127.0.0.1:{self._worker_metrics}/metrics"],
        }

    def settings(self, queue: str | None = None) -> Settings:
        """The settings of the shop's processes, or of such on another task queue."""
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in self.environment.items()
            if name.startswith(PREFIX)
        }
        return load_settings(**given | ({} if queue is None else {"temporal_task_queue": queue}))

    def start(self, account: Account | None = None) -> None:
        """Start what is no worker."""
        assert account is None
        self.temporal.start()
        self.temporal.wait_ready(PATIENCE)
        self._begin(
            self._child("gateway", "gateway", url=f"{self._gateway_url}/health"),
            self._child("api", "api", url=f"{self.url}/health/live"),
        )

    def start_workers(self) -> None:
        """Start the shop's worker, and one whose database is at the other end of the cable."""
        queue = getting_stuck.CUT_OFF
        cut_off = {"CHECKOUT_TEMPORAL_TASK_QUEUE": queue, "CHECKOUT_DATABASE_URL": self.cable.url}
        metrics = {"CHECKOUT_WORKER_METRICS_PORT": str(self._worker_metrics)}
        self._begin(self._worker("worker", metrics), self._worker(queue, cut_off))

    def stop(self) -> None:
        """End every process."""
        super().stop()
        self.temporal.stop()

    def _worker(self, name: str, changes: dict[str, str]) -> PythonProcess:
        ready_file = self.data / f"{name}.ready"
        return PythonProcess(
            name,
            ["worker", "--ready-file", str(ready_file)],
            self.data.parent / f"{name}.log",
            environment=lambda: self.environment | changes,
            ready_file=ready_file,
        )

    def _begin(self, *processes: PythonProcess) -> None:
        self._children += processes
        for process in processes:
            process.start()
        for process in processes:
            process.wait_ready(PATIENCE)


@contextlib.contextmanager
def stuck_shop(directory: Path) -> Iterator[StuckShop]:
    """The shop while the context lasts, with everything stuck that can be."""
    with contextlib.ExitStack() as closing:
        database_url = closing.enter_context(fresh_database())
        shop = StuckShop(directory, database_url, closing.enter_context(Cable(database_url).plugged()))
        closing.callback(shop.stop)
        shop.start()
        shop.checkouts |= asyncio.run(getting_stuck.get_stuck(shop, closing))
        yield shop


@pytest.fixture(scope="session")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StuckShop]:
    """One shop in which everything is stuck, for all tests of a session: they share it in the xdist group ``stuck``."""
    with stuck_shop(tmp_path_factory.mktemp("stuck")) as shop:
        yield shop
