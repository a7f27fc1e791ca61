"""A real Prometheus that reads the metrics of a shop by the rules in ``deploy/``, where the machine has one."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from checkout.runtime.embedded.process import last_lines, launch
from tests.support.dev import until
from tests.support.http import steady_port

DEPLOY = Path(__file__).parents[2] / "deploy" / "prometheus"


def program(name: str) -> str:
    """The path of ``prometheus`` or ``promtool``. Skips the test where the machine has none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine (Debian's package prometheus has it)")
    return found


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    url: str

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now. Fails with what Prometheus says where it does not understand it."""
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http:
            answer = await http.get("/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    async def targets_up(self) -> int:
        """From how many addresses it has metrics."""
        return sum(int(series["value"][1]) for series in await self.query("up"))


@contextlib.contextmanager
def running_prometheus(directory: Path, jobs: Mapping[str, Sequence[str]]) -> Iterator[Prometheus]:
    """Prometheus with the configuration for ``checkout dev``, but that it reads these addresses, each second.

    ``jobs``: the URLs of metrics by the job's name in that file.
    """
    binary = program("prometheus")
    configuration = yaml.safe_load((DEPLOY / "dev.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(DEPLOY / "alerts.yml")]
    for job in configuration["scrape_configs"]:
        job["static_configs"] = [{"targets": [urlsplit(url).netloc for url in jobs[job["job_name"]]]}]
    file, log, port = directory / "prometheus.yml", directory / "prometheus.log", steady_port()
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    process = launch(
        [
            binary,
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log=log,
    )
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(lambda: process.poll() is not None or _answers(prometheus.url), "Prometheus does not answer")
        assert process.poll() is None, last_lines(log)
        yield prometheus
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
