"""The servers and processes that are measured: started in a directory of their own, ended with the run."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil

from checkout.cli.children import PythonProcess
from checkout.runtime.embedded.ports import free_port
from checkout.runtime.embedded.postgres import EmbeddedPostgres
from checkout.runtime.embedded.process import ManagedProcess, launch
from checkout.runtime.embedded.temporal import EmbeddedTemporal
from checkout.runtime.settings import Settings, load_settings

_READY_SECONDS = 120


class _Worker(ManagedProcess):
    """The worker with the bare workflow beside the shop's. It polls once the API says that a worker does."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        super().__init__("worker", log)
        self._environment = environment

    def start(self) -> None:
        """Start it."""
        self.process = launch([sys.executable, "-m", "bench.worker"], log=self.log, environment=self._environment)

    def is_ready(self) -> bool:
        """Whether it runs."""
        return self.pid is not None


class Stack:
    """PostgreSQL and Temporal as `checkout dev` runs them, the gateway, one worker and one API, all on free ports."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: list[ManagedProcess] = []
        self.postgres = EmbeddedPostgres(directory / "postgres", log=directory / "postgres.log")
        self.temporal = EmbeddedTemporal(
            directory / "temporal" / "temporal.db", log=directory / "temporal.log", port=free_port()
        )
        self._ports = {"api": free_port(), "gateway": free_port()}
        self._database = ""
        self._secrets = [secrets.token_hex(32) for _ in range(3)]
        self.environment: dict[str, str] = {}

    @property
    def settings(self) -> Settings:
        """The settings of the processes, for a client in this one."""
        prefix = "CHECKOUT_"
        given = {name: value for name, value in self._variables().items() if name.startswith(prefix)}
        return load_settings(**{name.removeprefix(prefix).lower(): value for name, value in given.items()})

    @property
    def api(self) -> str:
        """Where the API answers."""
        return f"http://127.0.0.1:{self._ports['api']}"

    @property
    def gateway(self) -> str:
        """Where the gateway answers."""
        return f"http://127.0.0.1:{self._ports['gateway']}"

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self._directory / f"{name}.log"

    def start(self) -> None:
        """Start all of it. Raises ServerFault with the end of a log where something does not come up."""
        self.postgres.start()
        self.temporal.start()
        self.postgres.wait_ready()
        self.temporal.wait_ready()
        self._database = self.postgres.ensure_database("checkout")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
        self.environment = {**inherited, **self._variables()}
        self.command("migrate", "--demo")
        self._processes = [
            PythonProcess(
                "gateway", ["gateway"], self.log("gateway"), environment=self._variables, url=f"{self.gateway}/health"
            ),
            _Worker(self.log("worker"), self.environment),
            PythonProcess("api", ["api"], self.log("api"), environment=self._variables, url=f"{self.api}/health/ready"),
        ]
        for process in self._processes:
            process.start()
        for process in self._processes:
            process.wait_ready(_READY_SECONDS)

    def stop(self) -> None:
        """End all of it."""
        for process in reversed(self._processes):
            process.stop()
        self.temporal.stop()
        self.postgres.stop()

    def cpu_seconds(self) -> dict[str, float]:
        """Seconds of CPU that each process, its children included, has used so far; ``client`` is this one."""
        processes = {"postgres": self.postgres.pid, "temporal": self.temporal.pid, "client": os.getpid()}
        processes |= {process.name: process.pid for process in self._processes}
        return {name: _cpu(pid, alone=name == "client") for name, pid in processes.items() if pid is not None}

    def command(self, *arguments: str) -> str:
        """Run a ``checkout`` command on this stack; gives its output. Raises RuntimeError where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "checkout.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"checkout {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def _variables(self) -> dict[str, str]:
        session, admin, gateway = self._secrets
        return {
            "CHECKOUT_DATA_DIR": str(self._directory),
            "CHECKOUT_DATABASE_URL": self._database,
            "CHECKOUT_TEMPORAL_ADDRESS": self.temporal.address,
            "CHECKOUT_HTTP_PORT": str(self._ports["api"]),
            "CHECKOUT_GATEWAY_PORT": str(self._ports["gateway"]),
            "CHECKOUT_GATEWAY_URL": self.gateway,
            "CHECKOUT_GATEWAY_API_KEY": gateway,
            "CHECKOUT_SECRET_KEY": session,
            "CHECKOUT_ADMIN_TOKEN": admin,
            "CHECKOUT_LOG_LEVEL": "warning",
            # All buyers come from one address.
            "CHECKOUT_RATE_LIMIT": "off",
            "CHECKOUT_RATE_LIMIT_ADDRESS": "off",
            "CHECKOUT_MAX_RUNNING_CHECKOUTS_ADDRESS": "off",
            # As where it is installed: bytecode is kept.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self._directory / "bytecode"),
        }


@contextlib.asynccontextmanager
async def running_stack(directory: Path) -> AsyncIterator[Stack]:
    """A stack for the length of a block."""
    stack = Stack(directory)
    try:
        stack.start()
        yield stack
    finally:
        # Calls still in flight in the SDK's threads end before the interpreter does.
        await asyncio.sleep(0.3)
        stack.stop()


def _cpu(pid: int, *, alone: bool) -> float:
    root = psutil.Process(pid)
    total = 0.0
    for process in [root] if alone else [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            # Of children that have ended (a pool's connections) the parent knows.
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory(roots: Mapping[str, int]) -> dict[str, float]:
    """Megabytes that each process and its children keep (proportional set size: shared pages are counted once)."""
    found: dict[str, float] = {}
    for name, pid in roots.items():
        root = psutil.Process(pid)
        total = 0
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
        found[name] = total / 2**20
    return found
