"""Hyperparameters are strings, and every option of a run can be set by one."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import ConfigError
from training.sagemaker.container import Container, Request


def request(root: Path, **hyperparameters: str) -> Request:
    folder = root / "input" / "config"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    return Container(root).request()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("student_layers", "3", 3),
        ("layer_decay", "0.9", 0.9),
        ("source_weights", "a.csv=2,b.csv=0.5", {"a.csv": 2.0, "b.csv": 0.5}),
        ("gradient_checkpointing", "true", True),
        ("length_grouped", "false", False),
        ("streaming", "true", True),
        ("labels", "bad, good", ("bad", "good")),
    ],
)
def test_an_option_is_parsed_from_a_string(tmp_path: Path, name: str, text: str, value: Any) -> None:
    read = request(tmp_path, job="fine_tune", **{name: text})
    assert getattr(read.config, name) == value
    assert read.given == {name}


def test_options_of_the_search_are_not_options_of_its_trials(tmp_path: Path) -> None:
    how = {"trials": "8", "workers": "2", "pruner": "hyperband", "pareto": "True", "storage": "sqlite:///x"}
    read = request(tmp_path, job="search", epochs="1", **how)
    assert read.search == {
        "trials": 8,
        "workers": 2,
        "pruner": "hyperband",
        "pareto": True,
        "storage": "sqlite:///x",
    }
    assert read.given == {"epochs"}
    assert request(tmp_path, job="search").search == {"trials": 20}


@pytest.mark.parametrize("workers", ["0", "two", "-1"])
def test_an_invalid_number_of_workers_is_rejected(tmp_path: Path, workers: str) -> None:
    with pytest.raises(ConfigError, match=f"hyperparameter workers: give a number above 0, not '{workers}'"):
        request(tmp_path, job="search", workers=workers)


def test_the_cache_is_not_uploaded(tmp_path: Path) -> None:
    config = request(tmp_path, job="fine_tune").config
    assert config.artifacts == tmp_path / "output" / "data"
    assert not config.cache_folder.is_relative_to(config.artifacts)
