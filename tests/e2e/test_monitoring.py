"""Monitoring of a running system: counted traffic, reports, `sentiment monitor` and drift runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sentiment.database.models import DatasetMetric
from sentiment.database.session import transaction
from sentiment.database.traffic import TRAFFIC_DATASET
from sqlalchemy import select
from typer.testing import CliRunner

from cli.main import app
from local.stand_ins.gateway import running_gateway
from local.system import System


@pytest.fixture
def run(system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
    """Run a command in an empty folder, pointed at the running system."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, value in {
        **system.aws.environment(),
        **system.database,
        "MODEL_DIR": str(system.model_dir),
    }.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_served_predictions_are_counted_and_compared_with_stored_ones(system: System) -> None:
    with running_gateway(system.api, system.reports) as url, httpx.Client(base_url=url, timeout=60) as client:
        system.traffic_counter.count()  # the traffic of other tests
        for _ in range(3):
            assert client.post("/predict", json={"text": "A superb film."}).status_code == 200
        assert client.post("/predict/batch", json={"texts": ["Dull.", "Lovely."]}).status_code == 200
        assert client.post("/predict", json={"text": " "}).status_code == 422
        assert client.get("/metrics").status_code == 200
        counted = system.traffic_counter.count()
        assert counted is not None
        assert (counted.requests, counted.client_errors, counted.server_errors) == (5, 1, 0)
        assert counted.predictions == 5
        assert system.event_source.drain(30) == 0
        with transaction(system.engine) as session:
            stored = session.scalars(
                select(DatasetMetric.metrics).where(DatasetMetric.dataset == TRAFFIC_DATASET)
            ).all()
        assert counted.model_dump(mode="json", exclude={"type"}) in stored

        summary = client.get("/reports/summary", params={"hours": 1}).json()
        assert summary["requests"]["counted"] >= 5
        assert summary["predictions"] == sum(summary["by_sentiment"].values()) >= 5
        days = client.get("/reports/reconciliation").json()["days"]
        assert days[0]["difference"] == 0, "all served predictions are stored"


def test_the_monitor_shows_the_running_system_and_its_queue(system: System, run: Any) -> None:
    result = run("monitor", "--json")
    figures = json.loads(result.output)
    assert result.exit_code == {"calm": 0, "warning": 5, "critical": 6}[figures["status"]]
    assert figures["queue"] == {"waiting": 0, "dead_letters": 0}
    assert system.card["model_version"] in figures["model_versions"]


@pytest.mark.slow
def test_drift_run_checks_for_drift_on_request(system: System, run: Any) -> None:
    """In a separate process, because handlers cache their clients."""

    def output(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("sentiment")), "drift", "run", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    result = json.loads(output("--json"))
    assert result["judged"] or result["reason"], "a verdict, or the reason why there is none"
    assert output("--reconcile").startswith("reconciliation of ")
