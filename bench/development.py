"""`checkout dev`: how soon it sells, what it keeps in memory, and how soon a child that was killed runs again."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.report import Report, spread
from bench.stack import memory
from checkout.cli.children import PythonProcess, answers
from checkout.runtime.embedded.ports import free_port

_READY_SECONDS = 120
_CHILDREN = ("api", "worker", "gateway", "temporal", "postgres")
_KILLS = 5
_PORTS = ("HTTP_PORT", "GATEWAY_PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT")


class Dev(PythonProcess):
    """`checkout dev`, ready when it sells, ended as by Ctrl-C."""

    stop_signals = ((signal.SIGINT, 30),)


def measure_dev(directory: Path, report: Report) -> None:
    """Seconds until `/health/ready`, on an empty directory and on one with data, and the memory of all processes; then,
    on the second, the seconds from the `kill -9` of a child until another runs in its place.
    """
    report.title("checkout dev (aim: ready in under 15 s, under 1 GB in all)")
    environment = {f"CHECKOUT_{name}": str(free_port()) for name in _PORTS}
    environment["CHECKOUT_DATA_DIR"] = str(directory / "dev")
    url = f"http://127.0.0.1:{environment['CHECKOUT_HTTP_PORT']}/health/ready"
    for label in "first start", "second start":
        dev = Dev("dev", ["dev"], directory / "dev.log", environment=lambda: environment, url=url)
        began = time.perf_counter()
        dev.start()
        try:
            dev.wait_ready(_READY_SECONDS)
            took = time.perf_counter() - began
            report.line(label, f"{took:.1f} s", **{f"dev_{label.replace(' ', '_')}_seconds": took})
            kept = _memory(directory / "dev" / "dev.json", dev)
            each = ", ".join(f"{name} {size:.0f}" for name, size in kept.items())
            report.line(f"memory after the {label}", f"{sum(kept.values()):.0f} MB ({each})", dev_memory_mb=kept)
            if label == "second start":
                _measure_restarts(directory / "dev", url, report)
        finally:
            dev.stop()


def _memory(described: Path, dev: Dev) -> dict[str, float]:
    """Megabytes of each process by its name, `checkout dev` itself included."""
    give_up = time.monotonic() + _READY_SECONDS
    while not described.exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    parts = json.loads(described.read_text(encoding="utf-8"))
    kept = memory({name: part["pid"] for name, part in parts.items() if isinstance(part, dict)})
    assert dev.pid is not None
    return kept | {"dev": psutil.Process(dev.pid).memory_full_info().pss / 2**20}


def _measure_restarts(data: Path, url: str, report: Report) -> None:
    for name in _CHILDREN:
        again, ready = zip(*(_restart(data, name, url) for _ in range(_KILLS)), strict=True)
        figures = {f"dev_restart_{name}_seconds": again, f"dev_ready_after_{name}_seconds": ready}
        text = f"{spread(again, 's', 2)}; ready again {spread(ready, 's', 2)}"
        report.line(f"{name} runs again after kill -9 (aim: within 2 s)", text, **figures)


def _restart(data: Path, name: str, url: str) -> tuple[float, float]:
    """Seconds from the death of a child until `dev.json` names another, and until the shop is ready with it."""
    described = data / "dev.json"

    def ready() -> bool:
        # That a worker polls, the API believes for a while after it has died; of the gateway it says nothing.
        gateway = json.loads(described.read_text(encoding="utf-8"))["gateway"]["url"]
        return (data / "worker.ready").exists() and answers(f"{gateway}/health") and answers(url)

    killed = _pid(described, name)
    os.kill(killed, signal.SIGKILL)
    began = time.perf_counter()
    _until(lambda: _pid(described, name) != killed, name)
    again = time.perf_counter() - began
    _until(ready, name)
    took = time.perf_counter() - began
    time.sleep(1)  # who lost what was killed has found it again
    _until(ready, name)
    return again, took


def _pid(described: Path, name: str) -> int:
    return int(json.loads(described.read_text(encoding="utf-8"))[name]["pid"])


def _until(reached: Callable[[], bool], name: str) -> None:
    give_up = time.monotonic() + _READY_SECONDS
    while not reached():
        if time.monotonic() > give_up:
            raise RuntimeError(f"{name} is not there again")
        time.sleep(0.01)
