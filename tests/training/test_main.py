"""`python -m training`: what it prints, and its exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from training.__main__ import main
from training.config import MODEL_NAME
from training.errors import ConfigError, GateError
from training.export.artifact import Artifact

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:mtime may not be reliable",
)

MakeFolder = Callable[[str], Path]


def test_a_model_that_fails_the_gate_is_neither_published_nor_registered(
    options: dict[str, Any],
    make_artifacts_folder: MakeFolder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    artifacts = make_artifacts_folder("artifacts")
    store = f"sqlite:///{artifacts / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)

    def refuse(*_: object, **__: object) -> Artifact:
        raise GateError("no quantized model is within 0.5 points of fp32")

    monkeypatch.setattr("training.export.export.build_artifact", refuse)
    arguments = ["train", *flags(options), "--artifacts", str(artifacts)]
    assert main(arguments) == 3
    assert "GateError: no quantized model" in capsys.readouterr().err
    assert not (artifacts / "model").exists()
    client = mlflow.MlflowClient(store, registry_uri=store)
    assert client.search_registered_models() == []
    [experiment] = [e for e in client.search_experiments() if e.name == MODEL_NAME]
    [failed] = client.search_runs([experiment.experiment_id])
    assert failed.info.status == "FAILED"


def flags(options: dict[str, Any]) -> list[str]:
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


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
