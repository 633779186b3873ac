"""A real Prometheus with the repository's configuration, except that it scrapes every second."""

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.processes import HOST, free_port, wait_until
from tests.local.observability.grafana import OBSERVABILITY

SCRAPE_SECONDS = 1


def program(name: str) -> str:
    """Return the path of a program of Prometheus; skips the test if it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is missing: apt-get install prometheus, or put a release of Prometheus on PATH")
    return path


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the `data` of a response of its HTTP API."""
        response = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10)
        return response.raise_for_status().json()["data"]

    def instant(self, expression: str) -> list[float]:
        """Return the finite values of an expression now."""
        found = self.get("query", query=expression)["result"]
        return [float(series["value"][1]) for series in found if math.isfinite(float(series["value"][1]))]

    def over(self, expression: str, *, since: float, until: float, step_seconds: int) -> list[float]:
        """Return the finite values of an expression over a span of time."""
        found = self.get("query_range", query=expression, start=since, end=until, step=step_seconds)["result"]
        values = [float(value) for series in found for _, value in series["values"]]
        return [value for value in values if math.isfinite(value)]


@contextmanager
def running_prometheus(folder: Path, *, target: str) -> Iterator[Prometheus]:
    """Run Prometheus on a copy of our configuration in `folder` that scrapes `target` (host:port)."""
    binary = program("prometheus")
    shutil.copy(OBSERVABILITY / "alerts.yml", folder)
    configuration = (OBSERVABILITY / "prometheus.yml").read_text()
    assert configuration.count("_interval: 15s") == 2
    (folder / "prometheus.yml").write_text(configuration.replace("15s", f"{SCRAPE_SECONDS}s"))
    (folder / "targets.yml").write_text(json.dumps([{"targets": [target]}]))  # JSON is YAML too
    port = free_port()
    command = [
        *(binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address={HOST}:{port}", "--log.level=warn"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://{HOST}:{port}")
        assert wait_until(lambda: is_ready(server) or process.poll() is not None, seconds=30)
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait(20)


def is_ready(server: Prometheus) -> bool:
    try:
        return httpx.get(f"{server.url}/-/ready", timeout=2).is_success
    except httpx.TransportError:
        return False
