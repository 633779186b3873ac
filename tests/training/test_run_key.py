"""The run key changes with everything that determines the result of a run, and with nothing else."""

import inspect
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.config import TrainingConfig, configure
from training.data.prepare import prepare
from training.data.sources import read
from training.evaluation.page import write_page
from training.export.export import build_artifact
from training.finetune.tune import fine_tune
from training.pipeline import current_artifact, run
from training.registry.registry import promote
from training.run_key import run_key
from training.search.search import search

MakeFolder = Callable[[str], Path]


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
