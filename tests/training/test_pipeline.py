"""A run goes from a file to a registered champion, or fails with one line and changes nothing."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pyarrow.parquet as pq
import pytest

from tests.fixtures.artifacts import publish
from training.__main__ import main
from training.config import MODEL_NAME, TrainingConfig, configure
from training.data.prepare import prepare
from training.data.sources import read
from training.errors import ConfigError, GateError
from training.evaluation.page import write_page
from training.export.artifact import Artifact, champion_of, link_champion
from training.export.export import build_artifact
from training.finetune.tune import fine_tune
from training.pipeline import current_artifact, run
from training.registry.registry import promote
from training.run_key import run_key
from training.search.search import search

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:mtime may not be reliable",
)

MakeFolder = Callable[[str], Path]


@pytest.fixture
def options(reviews_csv: Path, tiny_model: Path) -> dict[str, Any]:
    return {
        "data": str(reviews_csv),
        "model": str(tiny_model),
        "max_length": 32,
        "epochs": 3,
        "learning_rate": 3e-2,
        "train_rows": 96,
        "validation_rows": 32,
        "test_rows": 32,
    }


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
    data = prepare(config)
    assert card["wide"]["rows"] == len(data.train) + len(data.left_out) > 96, "the wide part reads all rows"
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


def test_an_artifact_is_current_until_something_that_determines_it_changes(
    options: dict[str, Any], make_artifacts_folder: MakeFolder, tiny_artifact: Path, reviews_csv: Path
) -> None:
    card = json.loads((tiny_artifact / "model.json").read_text())
    artifacts = tiny_artifact.parents[1]
    names = set(TrainingConfig.model_fields)
    made = {name: value for name, value in card["training"].items() if name in names}
    config = configure(**made, data=str(reviews_csv), artifacts=artifacts)
    current = current_artifact(config)
    assert current is not None
    assert current.card == card
    assert current_artifact(config.model_copy(update={"resume": True})) is not None
    assert current_artifact(config.model_copy(update={"seed": 1})) is None
    assert current_artifact(config.model_copy(update={"artifacts": artifacts / "nowhere"})) is None


def test_a_model_that_fails_the_gate_is_neither_published_nor_registered(
    options: dict[str, Any],
    make_artifacts_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    artifacts = make_artifacts_folder("artifacts")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{artifacts / 'mlflow.db'}")

    def refuse(*_: object, **__: object) -> Artifact:
        raise GateError("no quantized model is within 0.5 points of fp32")

    monkeypatch.setattr("training.export.export.build_artifact", refuse)
    arguments = ["train", *flags(options), "--artifacts", str(artifacts)]
    assert main(arguments) == 3
    assert "GateError: no quantized model" in capsys.readouterr().err
    assert not (artifacts / "model").exists()
    assert client(artifacts).search_registered_models() == []
    [experiment] = [e for e in client(artifacts).search_experiments() if e.name == MODEL_NAME]
    [failed] = client(artifacts).search_runs([experiment.experiment_id])
    assert failed.info.status == "FAILED"


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


def flags(options: dict[str, Any]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


# The command


def test_the_command_prints_the_artifact_and_its_accuracy(
    options: dict[str, Any],
    make_artifacts_folder: MakeFolder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    artifacts = make_artifacts_folder("artifacts")
    assert main(["train", *flags(options), "--truncation", "head", "--artifacts", str(artifacts)]) == 0
    out = capsys.readouterr().out
    assert str((artifacts / "model").resolve().name) in out
    assert "accuracy on 32 held-out rows: int8" in out
    assert json.loads((artifacts / "model" / "model.json").read_text())["truncation"] == "head"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "gone.csv"], 2, "DataError: no file gone.csv"),
        (["--source", "amazon"], 2, "the embedded data has no source 'amazon'"),
        (["--max-length", "513"], 2, "max_length: Input should be less than or equal to 512"),
        (["--truncation", "middle"], 2, "truncation: Input should be 'auto', 'head' or 'head_tail'"),
        (["--labels", "one"], 2, "labels: give two or more different names"),
        (["--max-length", "64", "--train-max-length", "65"], 2, "train_max_length: must not exceed"),
    ],
)
def test_a_mistake_is_a_one_line_error_with_an_exit_code(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_debug_shows_where_an_error_came_from() -> None:
    with pytest.raises(ConfigError):
        main(["train", "--max-length", "1", "--debug"])


def test_an_unknown_model_ends_with_code_4_and_no_traceback(
    options: dict[str, Any], make_artifacts_folder: MakeFolder
) -> None:
    command = [sys.executable, "-m", "training", "train", *flags(options | {"model": "nobody/nothing"})]
    done = subprocess.run(
        [*command, "--artifacts", str(make_artifacts_folder("artifacts"))], capture_output=True, text=True
    )
    assert done.returncode == 4, done.stderr
    assert "ModelError: cannot load model 'nobody/nothing'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_run_key_depends_on_what_determines_the_result(
    options: dict[str, Any], reviews_csv: Path, tmp_path: Path
) -> None:
    key = run_key(configure(**options))
    assert key == run_key(configure(**options, resume=True, artifacts=tmp_path))
    assert key != run_key(configure(**options | {"epochs": 4}))
    more = tmp_path / "more.csv"
    more.write_text(reviews_csv.read_text() + "One more.,positive\n")
    assert key != run_key(configure(**options | {"data": str(more)}))


@pytest.mark.parametrize(
    ("edited", "another_result"),
    [
        (read, True),
        (prepare, True),
        (fine_tune, True),
        (build_artifact, True),
        (run, True),
        (write_page, False),
        (promote, False),
        (search, False),
    ],
)
def test_the_run_key_depends_on_the_code_that_determines_the_result(
    edited: Callable[..., Any],
    another_result: bool,
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module_of_key = sys.modules[run_key.__module__]
    package = Path(str(module_of_key.__file__)).parent
    copy = shutil.copytree(package, tmp_path / "training", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module_of_key, "__file__", str(copy / "run_key.py"))
    config = configure(**options)
    data = prepare(config)
    key = run_key(config, data)
    with (copy / Path(inspect.getfile(edited)).relative_to(package)).open("a") as module:
        module.write("# edited\n")
    assert (run_key(config, data) != key) is another_result
