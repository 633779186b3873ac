"""A search samples, scores on validation rows, prunes, resumes, and reports."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest

from training.__main__ import main
from training.config import MODEL_NAME, TrainingConfig, configure
from training.data.prepare import prepare
from training.data.rows import Dataset, Rows
from training.errors import ConfigError, Interrupted
from training.search.search import search
from training.search.space import read_best
from training.search.trials import SearchPlan

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:mtime may not be reliable",
)

FIXED = frozenset({"epochs", "frozen_layers", "layer_decay", "truncation", "train_max_length"})


@pytest.fixture
def config(
    reviews_csv: Path,
    tiny_model: Path,
    make_artifacts_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> TrainingConfig:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return configure(
        data=str(reviews_csv),
        model=str(tiny_model),
        max_length=16,
        epochs=1,
        train_rows=64,
        validation_rows=32,
        test_rows=16,
        truncation="head",
        artifacts=make_artifacts_folder("artifacts"),
    )


def find(
    config: TrainingConfig, folder: Path, trials: int, should_stop: Any = lambda: False, **plan: Any
) -> dict[str, Any]:
    plan = {"trials": trials, "fixed": FIXED} | plan
    return search(config, prepare(config), folder, SearchPlan(**plan), should_stop=should_stop)


def opened(folder: Path) -> optuna.Study:
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    return optuna.load_study(study_name="study", storage=optuna.storages.JournalStorage(backend))


def finished_parameters(folder: Path) -> list[dict[str, Any]]:
    return [trial.params for trial in opened(folder).trials if trial.state.name in {"COMPLETE", "PRUNED"}]


def test_a_search_writes_the_best_parameters_and_nests_its_trials(
    config: TrainingConfig, tmp_path: Path
) -> None:
    best = find(config, tmp_path / "study", 3)
    assert json.loads((tmp_path / "study" / "best.json").read_text()) == best
    assert best["parameters"].keys() == {"learning_rate", "batch_size", "warmup", "weight_decay"}
    assert best["trials"] == {"complete": 3, "pruned": 0, "fail": 0}
    assert best["data_fingerprint"] == prepare(config).fingerprint
    assert not any((tmp_path / "study" / "trials").iterdir()), "weights of trials are deleted"

    client = mlflow.MlflowClient(f"sqlite:///{config.artifacts / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(MODEL_NAME)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    [parent] = [run for run in runs if run.info.run_id == best["mlflow_run_id"]]
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(trials) == 3 and len(runs) == 4
    assert best["value"] == max(run.data.metrics["validation.head.accuracy"] for run in trials)
    assert all(run.info.status == "FINISHED" for run in runs)


def test_the_first_trial_is_the_recipe_without_a_search(config: TrainingConfig, tmp_path: Path) -> None:
    find(config, tmp_path, 1)
    assert finished_parameters(tmp_path) == [
        {"learning_rate": 5e-5, "batch_size": 16, "warmup": 0.1, "weight_decay": 0.01}
    ]


class StopInTrial:
    """Requests a stop after some steps of the last trial but one."""

    def __init__(self, questions: int) -> None:
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_stopped_search_continues_with_the_same_parameters(config: TrainingConfig, tmp_path: Path) -> None:
    find(config, tmp_path / "whole", 4)
    with pytest.raises(Interrupted, match="saved"):
        find(config, tmp_path / "stopped", 4, should_stop=StopInTrial(15))
    [cut_short] = (tmp_path / "stopped" / "trials").iterdir()
    assert list(cut_short.glob("checkpoint-*")), "the interrupted trial can resume"
    assert 0 < len(finished_parameters(tmp_path / "stopped")) < 4

    best = find(config, tmp_path / "stopped", 4)
    assert finished_parameters(tmp_path / "stopped") == finished_parameters(tmp_path / "whole")
    assert best["trials"] == {"complete": 4, "pruned": 0, "fail": 1}


def test_trials_are_added_to_a_study_up_to_the_given_number(config: TrainingConfig, tmp_path: Path) -> None:
    find(config, tmp_path, 1)
    find(config, tmp_path, 2)
    assert len(finished_parameters(tmp_path)) == 2
    find(config, tmp_path, 2)
    assert len(finished_parameters(tmp_path)) == 2


def test_a_study_of_another_recipe_space_or_data_set_is_rejected(
    config: TrainingConfig, tmp_path: Path
) -> None:
    find(config, tmp_path, 1)
    for other in ({"max_length": 24}, {"train_rows": 63, "seed": 1}):
        with pytest.raises(ConfigError, match="is of another search space"):
            find(config.model_copy(update=other), tmp_path, 2)
    with pytest.raises(ConfigError, match="another search space"):
        find(config, tmp_path, 2, fixed=FIXED - {"frozen_layers"})


def test_the_test_rows_are_not_used(config: TrainingConfig, tmp_path: Path) -> None:
    data = prepare(config)
    unreadable = Rows([None] * 16, [0] * 16)  # type: ignore[list-item]
    without = Dataset(
        data.name, data.labels, data.train, data.validation, unreadable, data.dropped, data.fingerprint
    )
    best = search(config, without, tmp_path / "without", SearchPlan(trials=1, fixed=FIXED))
    assert best["value"] == find(config, tmp_path / "with", 1)["value"]


def test_a_trial_below_the_median_is_pruned(config: TrainingConfig, tmp_path: Path) -> None:
    find(config, tmp_path, 1)
    study = opened(tmp_path)
    excellent = optuna.trial.create_trial(
        params=study.trials[0].params,
        distributions=study.trials[0].distributions,
        intermediate_values={quarter: 1.0 for quarter in range(1, 5)},
        value=1.0,
    )
    study.add_trials([excellent] * 5)
    best = find(config, tmp_path, 7)
    assert best["trials"] == {"complete": 6, "pruned": 1, "fail": 0}
    assert opened(tmp_path).trials[-1].intermediate_values.keys() == {1}, "pruned at its first evaluation"


def test_pareto_keeps_the_front_and_chooses_the_fastest_of_the_most_accurate(
    config: TrainingConfig, tmp_path: Path
) -> None:
    config = config.model_copy(update={"max_length": 64})
    best = find(config, tmp_path, 3, pareto=True)
    front = best["front"]
    assert best["chosen_by"] == "the fastest within 0.5 points of the most accurate"
    assert all(point["latency_ms"] > 0 and 0 <= point["accuracy"] <= 1 for point in front)
    ordered = sorted(front, key=lambda point: -point["accuracy"])
    latencies = [point["latency_ms"] for point in ordered]
    assert latencies == sorted(latencies, reverse=True), "less accurate ones are faster"
    good = [point for point in front if point["accuracy"] >= ordered[0]["accuracy"] - 0.005]
    assert best["trial"] == min(good, key=lambda point: point["latency_ms"])["trial"]
    assert best["parameters"]["max_length"] in (16, 32, 48, 64)
    assert (tmp_path / "front.png").stat().st_size > 5_000
    assert read_best(tmp_path, config.model) == best["parameters"]


def test_hyperband_prunes_too_and_other_pruners_are_rejected(config: TrainingConfig, tmp_path: Path) -> None:
    assert find(config, tmp_path, 2, pruner="hyperband")["trials"]["complete"] == 2
    with pytest.raises(ConfigError, match="pruner: give median or hyperband, not 'asha'"):
        SearchPlan(trials=1, pruner="asha")
    with pytest.raises(ConfigError, match="give 1 or more"):
        SearchPlan(trials=1, workers=0)


def test_the_report_of_the_study_is_kept_with_the_run(config: TrainingConfig, tmp_path: Path) -> None:
    best = find(config, tmp_path, 3)
    for name in ("history.png", "importance.png", "slice.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "study.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert f"Trial {best['trial']} of 3" in page
    assert "http" not in page, "no network needed"
    client = mlflow.MlflowClient(f"sqlite:///{config.artifacts / 'mlflow.db'}")
    kept = {file.path for file in client.list_artifacts(best["mlflow_run_id"], "study")}
    names = ("best.json", "study.html", "history.png", "importance.png", "slice.png")
    assert kept == {f"study/{name}" for name in names}


def test_the_report_of_a_small_study_names_missing_plots(config: TrainingConfig, tmp_path: Path) -> None:
    find(config, tmp_path, 1)
    assert "Not available: Parameter importance" in (tmp_path / "study.html").read_text()


@pytest.mark.slow
def test_a_run_uses_the_parameters_of_a_search(
    config: TrainingConfig, reviews_csv: Path, tiny_model: Path, tmp_path: Path, capsys: Any
) -> None:
    recipe = ["--data", str(reviews_csv), "--model", str(tiny_model), "--max-length", "32"]
    recipe += ["--artifacts", str(config.artifacts), "--train-rows", "96", "--truncation", "head"]
    started = time.monotonic()
    assert main(["search", *recipe, "--trials", "2", "--study", str(tmp_path / "study")]) == 0
    assert time.monotonic() - started < 60
    printed = capsys.readouterr().out
    assert str(tmp_path / "study" / "best.json") in printed
    assert "(trials: 2 complete, 0 pruned, 0 fail)" in printed
    found = json.loads((tmp_path / "study" / "best.json").read_text())["parameters"]

    assert main(["train", *recipe, "--epochs", "3", "--parameters", str(tmp_path / "study")]) in {0, 3}
    runs = mlflow.MlflowClient(f"sqlite:///{config.artifacts / 'mlflow.db'}").search_runs(["1"])
    trained = runs[0].data.params
    assert trained["epochs"] == "3", "a set option wins over the search"
    assert float(trained["learning_rate"]) == found["learning_rate"]
    assert int(trained["batch_size"]) == found["batch_size"]
