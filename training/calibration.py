"""Calibrate probabilities by temperature scaling, and measure the calibration error.

A temperature divides the logits before the softmax, so it changes no decision. Serving uses the one in the
card; `tests/test_same_answers.py` proves that both give the same probabilities. Both methods are from Guo et
al. 2017, "On Calibration of Modern Neural Networks" (https://arxiv.org/abs/1706.04599).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

BINS = 15  # as in the paper
# A few rows that are all correct would drive the temperature to zero.
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.25, 4.0


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence lies in one of equally wide intervals."""

    rows: int
    confidence: float  # mean
    accuracy: float


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Turn logits (rows, labels) into probabilities; temperature 1 changes nothing."""
    scaled = logits.astype(np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Return the temperature, within a factor of four of 1, that minimizes the log loss."""
    rows = np.arange(len(labels))

    def log_loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        log_likelihood = scaled[rows, labels] - np.log(np.exp(scaled).sum(axis=1))
        return float(-log_likelihood.mean())

    found = minimize_scalar(
        log_loss, bounds=(np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)), method="bounded"
    )
    return round(float(np.exp(found.x)), 4)


def reliability(probabilities: NDArray[np.float64], labels: NDArray[np.integer[Any]]) -> list[Bin]:
    """Return the non-empty bins by ascending confidence; `probabilities` is (rows, labels)."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    # Intervals are closed above, so that confidence 1 belongs to the last one.
    numbers = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(correct[inside].mean()))
        for inside in (numbers == number for number in range(BINS))
        if inside.any()
    ]


def calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.integer[Any]]) -> float:
    """Return the expected calibration error: the mean distance of confidence from accuracy."""
    bins = reliability(probabilities, labels)
    return sum(one.rows * abs(one.confidence - one.accuracy) for one in bins) / len(labels)
