"""A run goes from a file to a registered champion, or fails with one line and changes nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pyarrow.parquet as pq
import pytest

from tests.fixtures.artifacts import publish
from training.config import MODEL_NAME, configure
from training.data.prepare import prepare
from training.data.wide_rows import wide_rows
from training.export.artifact import Artifact, champion_of, link_champion
from training.pipeline import run
from training.run_key import run_key

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:mtime may not be reliable",
)

MakeFolder = Callable[[str], Path]


def client(artifacts: Path) -> mlflow.MlflowClient:
    store = f"sqlite:///{artifacts / 'mlflow.db'}"
    return mlflow.MlflowClient(store, registry_uri=store)


def test_a_run_publishes_records_and_registers(
    options: dict[str, Any], make_artifacts_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    artifacts = make_artifacts_folder("artifacts")
    config = configure(**options, artifacts=artifacts)
    stages: list[str] = []
    artifact = run(config, lambda message, done=0, total=None: stages.append(message))

    assert (artifacts / "model").resolve() == artifact.folder.resolve()
    card = json.loads((artifact.folder / "model.json").read_text())
    assert card["data"]["rows"] == {"train": 96, "validation": 32, "test": 32}
    assert card["data"]["options"]["text_column"] == "text"
    assert card["base_model"] == options["model"]
    assert card["training"]["run_key"] == run_key(config)
    assert card["training"]["steps"] == 18
    assert set(card["truncation_metrics"]) == {"head", "head_tail"}
    assert card["truncation"] in card["truncation_metrics"]
    assert card["wide"]["rows"] == len(wide_rows(prepare(config))) > 96, (
        "also rows that are not fine-tuned on"
    )
    assert set(card["metrics"]["baselines"]) == {"majority", "wide", "deep"}
    assert pq.read_table(artifact.folder / "reference.parquet").num_rows == 32
    assert json.loads((artifact.folder / "golden.json").read_text())["reviews"]
    assert "golden.json" in card["files"]
    assert any("96 train, 32 validation, 32 test" in stage for stage in stages)

    recorded = client(artifacts).get_run(card["mlflow_run_id"])
    assert recorded.info.status == "FINISHED"
    assert recorded.data.params["learning_rate"] == "0.03"
    assert recorded.data.params["data_fingerprint"] == card["data"]["fingerprint"]
    assert recorded.data.metrics["test.int8.accuracy"] == card["metrics"]["int8"]["accuracy"]
    evaluations = client(artifacts).get_metric_history(card["mlflow_run_id"], "eval_accuracy")
    assert [metric.step for metric in evaluations] == [6, 12, 18]
    logged = {file.path for file in client(artifacts).list_artifacts(card["mlflow_run_id"], "artifact")}
    assert {"artifact/model.onnx", "artifact/tokenizer.json", "artifact/reference.parquet"} <= logged
    assert "MLFLOW_TRACKING_URI" not in os.environ

    champion = client(artifacts).get_model_version_by_alias(MODEL_NAME, "champion")
    assert champion.run_id == card["mlflow_run_id"]
    mlflow.set_tracking_uri(f"sqlite:///{artifacts / 'mlflow.db'}")
    try:
        graph = mlflow.onnx.load_model(f"models:/{MODEL_NAME}@champion")
    finally:
        mlflow.set_tracking_uri(None)
    assert {graph_output.name for graph_output in graph.graph.output} >= {"logits"}


# The steps after the export in order, up to the one that changes what serves.
LATER_STEPS = [
    "training.evaluation.evaluate.evaluate",
    "training.evaluation.page.write_page",
    "training.tracking.Run.log_files",
    "training.tracking.Run.register",
    "mlflow.tracking.MlflowClient.set_terminated",
    "training.tracking.check_registry",
    "training.tracking.set_aliases",
    "training.registry.registry.link_champion",
]


@pytest.mark.parametrize("step", LATER_STEPS)
@pytest.mark.parametrize("champion", [None, "old"])
def test_a_failure_after_the_export_changes_nothing_that_serves(
    step: str,
    champion: str | None,
    options: dict[str, Any],
    make_artifacts_folder: MakeFolder,
    tiny_artifact: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    artifacts = make_artifacts_folder("artifacts")
    if champion:
        publish(artifacts, tiny_artifact, champion)
        link_champion(artifacts, champion)
    # Training and export come from another test; the copy is complete.
    monkeypatch.setattr("training.pipeline.tune_checkpoint", lambda *_, **__: (None, None))
    monkeypatch.setattr("training.pipeline.publish", lambda *_, **__: as_published(artifacts, tiny_artifact))

    def fail(*_: object, **__: object) -> None:
        raise OSError("the last straw")

    config = configure(**options, artifacts=artifacts)
    with monkeypatch.context() as failing:
        failing.setattr(step, fail)
        if champion is None or step in LATER_STEPS[:5]:
            with pytest.raises(OSError, match="the last straw"):
                run(config)
        else:
            run(config)  # a candidate: nothing moves the champion
    assert champion_of(artifacts) == champion
    if champion is None and step == LATER_STEPS[-1]:
        return  # the aliases are set; the link follows when the run is repeated
    names = client(artifacts).search_registered_models()
    assert all("champion" not in model.aliases for model in names)


def as_published(artifacts: Path, source: Path) -> Artifact:
    folder = publish(artifacts, source, "new")
    return Artifact(folder, json.loads((folder / "model.json").read_text()))
