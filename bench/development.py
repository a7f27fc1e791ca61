"""`checkout dev`: how soon it sells, and what it keeps in memory."""

import json
import signal
import time
from pathlib import Path

import psutil

from bench.report import Report
from bench.stack import memory
from checkout.cli.children import PythonProcess
from checkout.runtime.embedded.ports import free_port

_READY_SECONDS = 120
_PORTS = ("HTTP_PORT", "GATEWAY_PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT")


class Dev(PythonProcess):
    """`checkout dev`, ready when it sells, ended as by Ctrl-C."""

    stop_signals = ((signal.SIGINT, 30),)


def measure_dev(directory: Path, report: Report) -> None:
    """Seconds until `/health/ready`, on an empty directory and on one with data, and the memory of all processes."""
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
