"""A known temperature is recovered, and the calibration error follows its formula."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.calibration import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    calibration_error,
    fit_temperature,
    reliability,
    softmax,
)


def overconfident(rows: int, factor: float, labels: int = 2) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw labels from true probabilities; the logits are `factor` times the true ones."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (rows, labels))
    drawn = np.array([rng.choice(labels, p=row) for row in softmax(true)])
    return true * factor, drawn


@pytest.mark.parametrize(("factor", "labels"), [(0.5, 2), (1.0, 2), (2.0, 2), (2.0, 5)])
def test_the_hidden_temperature_is_found(factor: float, labels: int) -> None:
    logits, truth = overconfident(20_000, factor, labels)
    assert fit_temperature(logits, truth) == pytest.approx(factor, rel=0.05)


def test_a_temperature_changes_confidence_but_no_decision() -> None:
    logits, truth = overconfident(20_000, 3.0)
    temperature = fit_temperature(logits, truth)
    raw, calibrated = softmax(logits), softmax(logits, temperature)
    assert (raw.argmax(axis=1) == calibrated.argmax(axis=1)).all()
    assert calibration_error(raw, truth) > 0.08
    assert calibration_error(calibrated, truth) < 0.01


def test_the_temperature_of_a_model_that_is_never_wrong_is_bounded() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 2.0]])
    assert fit_temperature(logits, np.array([0, 1])) == pytest.approx(MIN_TEMPERATURE, rel=1e-3)
    assert fit_temperature(logits, np.array([1, 0])) == pytest.approx(MAX_TEMPERATURE, rel=1e-3)


def test_the_error_is_the_mean_distance_of_confidence_from_accuracy() -> None:
    sure, unsure = [0.95, 0.05], [0.55, 0.45]
    probabilities = np.array([sure, sure, sure, sure, unsure, unsure])
    truth = np.array([0, 0, 0, 1, 1, 1])
    # Four rows are 95% sure and three of them right; two are 55% sure and none is.
    assert calibration_error(probabilities, truth) == pytest.approx(4 / 6 * 0.2 + 2 / 6 * 0.55)
    low, high = reliability(probabilities, truth)
    assert (low.rows, low.accuracy, high.rows, high.accuracy) == (2, 0.0, 4, 0.75)


def test_confidence_one_is_in_the_last_bin() -> None:
    (only,) = reliability(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    assert (only.rows, only.confidence, only.accuracy) == (2, 1.0, 0.5)
