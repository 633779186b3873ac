"""What a search samples from; its result is validated against that when it is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import ConfigError, DataError
from training.search.space import fingerprint, read_best, search_space, space_to_json


def test_the_space_holds_every_parameter_that_is_not_set() -> None:
    space = search_space(6, 256)
    assert space.keys() == {
        *("learning_rate", "layer_decay", "batch_size", "epochs", "warmup", "weight_decay"),
        *("frozen_layers", "truncation", "train_max_length"),
    }
    assert space["train_max_length"].choices == (64, 128, 192, 256)  # type: ignore[union-attr]
    assert search_space(6, 256, {"truncation"}, pareto=True).keys() == space.keys() - {
        *("truncation", "train_max_length"),
    } | {"max_length"}


def written(path: Path, **changes: Any) -> Path:
    space = {name: values for name, values in search_space(2).items() if name in {"epochs", "warmup"}}
    best = {"parameters": {"epochs": 2, "warmup": 0.1}, "search_space": fingerprint(space_to_json(space))}
    path.write_text(json.dumps(best | changes))
    return path


def test_parameters_are_read_from_the_file_or_its_folder(tiny_model: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "best.json")
    assert read_best(file, str(tiny_model)) == {"epochs": 2, "warmup": 0.1}
    assert read_best(tmp_path, str(tiny_model)) == {"epochs": 2, "warmup": 0.1}


def test_parameters_of_another_space_are_rejected(tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "best.json"
    for changes in (
        {"search_space": "0" * 16},
        {"parameters": {"epochs": 2}},
        {"parameters": {"epochs": 2, "warmup": 0.1, "dropout": 0.0}},
    ):
        with pytest.raises(ConfigError, match="another search space"):
            read_best(written(file, **changes), str(tiny_model))
    # How many layers can be frozen depends on the model.
    space = {"frozen_layers": search_space(2)["frozen_layers"]}
    written(file, parameters={"frozen_layers": 1}, search_space=fingerprint(space_to_json(space)))
    assert read_best(file, str(tiny_model)) == {"frozen_layers": 1}
    with pytest.raises(ConfigError, match="another search space than that of model 'embedded'"):
        read_best(file, "embedded")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"parameters": 3, "search_space": ""}'])
def test_a_damaged_file_is_a_one_line_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(DataError, match="is not the result of a search"):
        read_best(tmp_path, "embedded")


def test_a_missing_file_is_a_one_line_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_best(tmp_path / "best.json", "embedded")
