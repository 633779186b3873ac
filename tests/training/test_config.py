"""A run's options have presets, and invalid values are rejected."""

from typing import Any

import pytest
from pydantic import ValidationError

from training.config import configure
from training.errors import ConfigError


def test_quick_is_one_short_epoch_over_few_rows_read_at_full_length() -> None:
    quick = configure(quick=True)
    assert (quick.epochs, quick.training_length, quick.max_length) == (1, 128, 256)
    assert quick.train_rows is not None
    assert (quick.validation_rows, quick.test_rows) == (1_000, 1_000)


def test_full_reads_everything_and_evaluates_every_500_steps() -> None:
    full = configure()
    assert full.train_rows is None
    assert full.evaluate_every == 500
    assert full.training_length == full.max_length == 256
    assert full.dropout is None


def test_options_win_over_presets_and_none_means_not_given() -> None:
    config = configure(quick=True, epochs=2, learning_rate=1e-4, seed=None)
    assert (config.epochs, config.learning_rate, config.seed) == (2, 1e-4, 0)


def test_the_embedded_model_has_a_higher_learning_rate() -> None:
    assert configure().learning_rate == 2e-4
    assert configure(model="distilbert-base-uncased").learning_rate == 5e-5


def test_quick_follows_a_shorter_limit() -> None:
    assert configure(quick=True, max_length=64).training_length == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_speed": 1}, "learning_speed: Extra inputs are not permitted"),
        ({"max_length": 513}, "max_length: Input should be less than or equal to 512"),
        ({"epochs": 0}, "epochs: Input should be greater than or equal to 1"),
        ({"precision": "int4"}, "precision: Input should be"),
        ({"labels": ("good", "good")}, "labels: give two or more different names"),
        ({"max_length": 64, "train_max_length": 65}, "train_max_length: must not exceed max_length"),
        ({"epochs": "many", "seed": -1}, "seed: .*; epochs: "),
    ],
)
def test_an_invalid_value_is_rejected_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configure(**options)
    assert caught.value.exit_code == 2


def test_a_configuration_is_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        configure().epochs = 4


def test_output_folders_are_not_part_of_the_recipe() -> None:
    assert configure(resume=True, artifacts="elsewhere").recipe() == configure().recipe()


def test_found_parameters_override_the_preset_but_not_options() -> None:
    found = {"learning_rate": 3e-5, "batch_size": 8, "epochs": 2}
    config = configure(quick=True, parameters=found, epochs=4)
    assert (config.learning_rate, config.batch_size, config.epochs) == (3e-5, 8, 4)
    assert config.dropout == 0.0, "the rest of the preset stays"
