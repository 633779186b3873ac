"""`ON_DRIFT=retrain` on the laptop: shifted traffic with labels starts a training of the model."""

import json
import shutil
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local.demo.demo import shifted_hours
from local.demo.drift import judge
from local.processes import wait_until
from local.progress import Steps
from local.retraining import RetrainingWorker
from local.stand_ins.gateway import invoke_api
from local.system import System, running_system
from training.export.artifact import champion_of
from training.registry.registry import newest_candidate

TEXTS, LABELS = 64, 24
MONITOR_SETTINGS = {
    "MINIMUM_ROWS": "50",
    "SUFFICIENT_ROWS": "50",
    "PERSIST_RUNS": "1",
    "ON_DRIFT": "retrain",
    "RETRAIN_MINIMUM_LABELS": str(LABELS),
}


@pytest.mark.slow
def test_labels_of_shifted_traffic_become_a_new_model(
    tmp_path: Path, tiny_artifact: Path, reviews_csv: Path
) -> None:
    artifacts = tmp_path / "artifacts"
    shutil.copytree(tiny_artifact, artifacts / "models" / tiny_artifact.name)
    (artifacts / "model").symlink_to(Path("models") / tiny_artifact.name)
    steps, reported = Steps(Console(file=StringIO())), list[str]()
    with running_system(
        tmp_path / "state", steps, model_dir=artifacts / "model", monitor_settings=MONITOR_SETTINGS
    ) as system:
        retraining = RetrainingWorker(system, data=str(reviews_csv), report=reported.append)
        assert not retraining.train_next(), "no execution was started"
        began = datetime.now(UTC)
        give_labels(system, shifted_hours(1, TEXTS)[0])
        result = judge(system, "shifted traffic", began).result
        assert result["data_drift"]["drifted"], result
        assert result["retraining"].startswith("started as "), result["retraining"]

        assert wait_until(retraining.train_next, seconds=20, pause_seconds=0.2), "an execution waits"
        started, ended = reported
        assert str(reviews_csv) in started and "training/feedback/" in started
        assert "published" in ended and "no model published" not in ended, (ended, log_of(system))
        (execution,) = executions(system)
        assert wait_until(lambda: executions(system)[0]["status"] == "SUCCEEDED", seconds=10)
        assert execution["name"] in ended

    before = json.loads((tiny_artifact / "model.json").read_text())
    assert champion_of(artifacts) == before["model_version"], "it is a candidate until it is promoted"
    card = json.loads((artifacts / "models" / newest_candidate(artifacts) / "model.json").read_text())
    assert card["data"]["rows"]["train"] == before["data"]["rows"]["train"] + LABELS
    assert card["data"]["rows"]["test"] == before["data"]["rows"]["test"], (
        "no labeled text is in the test split"
    )
    assert card["training"]["learning_rate"] == before["training"]["learning_rate"]


def give_labels(system: System, texts: list[str]) -> None:
    """Predict the texts and label some of them through /feedback."""
    status, response, _ = invoke_api(system.api, "POST", "/predict/batch", {"texts": texts})
    assert status == 200
    for number, result in enumerate(response["results"][:LABELS]):
        label = {"label": ("positive", "negative")[number % 2]}
        path = f"/predictions/{result['prediction_id']}/feedback"
        assert invoke_api(system.api, "POST", path, label)[0] == 202
    assert system.event_source.drain(60) == 0


def executions(system: System) -> list[dict[str, str]]:
    client = system.aws.client("stepfunctions")
    found = client.list_executions(stateMachineArn=system.aws.state_machine_arn)["executions"]
    return list(found)


def log_of(system: System) -> str:
    return "\n".join(path.read_text() for path in (system.folder / "logs").glob("retraining-*.log"))
