"""`ON_DRIFT=retrain` on the laptop: traffic changes, people label some of it, the model is trained again."""

import json
import shutil
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from local.demo.demo import other_texts
from local.demo.drift import judge
from local.processes import wait_until
from local.retraining import Retraining
from local.stand_ins.gateway import invoke_api
from local.steps import Steps
from local.system import System, running_system
from training.export.artifact import champion_of
from training.registry.registry import newest_candidate

TEXTS, LABELS = 64, 24
JUDGEMENT = {
    "MINIMUM_ROWS": "50",
    "SUFFICIENT_ROWS": "50",
    "PERSIST_RUNS": "1",
    "ON_DRIFT": "retrain",
    "RETRAIN_MINIMUM_LABELS": str(LABELS),
}


@pytest.mark.slow
def test_labels_of_changed_traffic_become_a_new_model(
    tmp_path: Path, tiny_artifact: Path, reviews_csv: Path
) -> None:
    artifacts = tmp_path / "artifacts"
    shutil.copytree(tiny_artifact, artifacts / "models" / tiny_artifact.name)
    (artifacts / "model").symlink_to(Path("models") / tiny_artifact.name)
    steps, told = Steps(Console(file=StringIO())), list[str]()
    with running_system(
        tmp_path / "state", steps, model_dir=artifacts / "model", judgement=JUDGEMENT
    ) as system:
        retraining = Retraining(system, data=str(reviews_csv), tell=told.append)
        assert not retraining.train_next(), "nobody asked for one"
        began = datetime.now(UTC)
        give_labels(system, other_texts(1, TEXTS)[0])
        answer = judge(system, "changed traffic", began).answer
        assert answer["data_drift"]["drifted"], answer
        assert answer["retraining"].startswith("started as "), answer["retraining"]

        assert wait_until(retraining.train_next, seconds=20, pause_seconds=0.2), "an execution waits"
        started, ended = told
        assert str(reviews_csv) in started and "training/feedback/" in started
        assert "published" in ended and "nothing published" not in ended, (ended, log_of(system))
        (execution,) = executions(system)
        assert wait_until(lambda: executions(system)[0]["status"] == "SUCCEEDED", seconds=10)
        assert execution["name"] in ended

    before = json.loads((tiny_artifact / "model.json").read_text())
    assert champion_of(artifacts) == before["model_version"], "it is a candidate until somebody promotes it"
    card = json.loads((artifacts / "models" / newest_candidate(artifacts) / "model.json").read_text())
    assert card["data"]["rows"]["train"] == before["data"]["rows"]["train"] + LABELS
    assert card["data"]["rows"]["test"] == before["data"]["rows"]["test"], "nothing of it is measured on"
    assert card["training"]["learning_rate"] == before["training"]["learning_rate"]


def give_labels(system: System, texts: list[str]) -> None:
    """Predict the texts and label some of them, as people would through /feedback."""
    status, answer, _ = invoke_api(system.api, "POST", "/predict/batch", {"texts": texts})
    assert status == 200
    for number, result in enumerate(answer["results"][:LABELS]):
        label = {"label": ("positive", "negative")[number % 2]}
        path = f"/predictions/{result['prediction_id']}/feedback"
        assert invoke_api(system.api, "POST", path, label)[0] == 202
    assert system.source.drain(60) == 0


def executions(system: System) -> list[dict[str, str]]:
    client = system.aws.client("stepfunctions")
    found = client.list_executions(stateMachineArn=system.aws.state_machine_arn)["executions"]
    return list(found)


def log_of(system: System) -> str:
    return "\n".join(path.read_text() for path in (system.folder / "logs").glob("retraining-*.log"))
