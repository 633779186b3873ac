"""Runs are tracked in the configured store; a resumed run keeps its id, and a failed one is marked."""

import os
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from training.config import MODEL_NAME, configure
from training.tracking import tracked_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's use of SQLAlchemy


@pytest.fixture
def artifacts(make_artifacts_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_artifacts_folder("artifacts")


def client(folder: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def test_runs_go_into_the_local_store_with_parameters_and_metrics(artifacts: Path) -> None:
    with tracked_run(configure(quick=True, train_rows=2_000, artifacts=artifacts), "sha256:1") as run:
        run.log_metrics({"loss": 0.5}, 10)
        run.log_metrics({"loss": 0.4, "validation": {"head": {"accuracy": 0.9, "roc_auc": None}}}, 20)
    recorded = client(artifacts).get_run(run.id)
    assert recorded.info.artifact_uri.startswith((artifacts / "mlruns").as_uri())
    assert recorded.data.params["train_rows"] == "2000"
    assert recorded.data.params["data_fingerprint"] == "sha256:1"
    assert recorded.data.metrics == {"loss": 0.4, "validation.head.accuracy": 0.9}
    assert [m.step for m in client(artifacts).get_metric_history(run.id, "loss")] == [10, 20]


def test_the_environment_chooses_another_store(
    artifacts: Path, make_artifacts_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = make_artifacts_folder("elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere / 'mlflow.db'}")
    with tracked_run(configure(artifacts=artifacts), "sha256:1") as run:
        pass
    assert client(elsewhere).get_run(run.id).info.status == "FINISHED"
    assert client(artifacts).get_experiment_by_name(MODEL_NAME) is None


def test_each_run_of_one_process_uses_its_own_store(
    artifacts: Path, make_artifacts_folder: Callable[[str], Path]
) -> None:
    other = make_artifacts_folder("other")
    for folder in (artifacts, other):
        with tracked_run(configure(artifacts=folder), "sha256:1") as run:
            pass
        assert client(folder).get_run(run.id).info.status == "FINISHED"
        assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_resumed_run_keeps_its_id(artifacts: Path) -> None:
    config = configure(artifacts=artifacts)
    with pytest.raises(KeyboardInterrupt), tracked_run(config, "sha256:1") as stopped:
        stopped.log_metrics({"loss": 0.5}, 1)
        raise KeyboardInterrupt
    assert client(artifacts).get_run(stopped.id).info.status == "FAILED"
    with tracked_run(config, "sha256:1", run_id=stopped.id) as resumed:
        resumed.log_metrics({"loss": 0.4}, 2)
    assert resumed.id == stopped.id
    assert client(artifacts).get_run(resumed.id).info.status == "FINISHED"
    assert [m.step for m in client(artifacts).get_metric_history(resumed.id, "loss")] == [1, 2]


def test_a_run_that_the_store_does_not_know_is_a_new_one(artifacts: Path) -> None:
    with tracked_run(configure(artifacts=artifacts), "sha256:1", run_id="0" * 32) as run:
        pass
    assert run.id != "0" * 32
