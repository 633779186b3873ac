"""Compute the metrics of a classifier from its probabilities."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from training.calibration import calibration_error

_BOOTSTRAP_SAMPLES = 2_000
_PAIRED_SAMPLES = 10_000

Metrics = dict[str, Any]


def classification_metrics(
    labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]], *, seed: int = 0
) -> Metrics:
    """Compare scores (rows, classes; normalized here) with integer `labels`; values are JSON-serializable.

    Keys: accuracy; accuracy_ci95, its percentile bootstrap interval [low, high]; f1, macro-averaged; roc_auc,
    one-vs-rest and macro-averaged for three or more classes, null unless every class occurs;
    log_loss in nats; ece, the expected calibration error.
    """
    classes = np.arange(probabilities.shape[1])
    scores = probabilities.astype(np.float64)
    scores /= scores.sum(axis=1, keepdims=True)
    decisions = scores.argmax(axis=1)
    correct = decisions == labels
    low, high = bootstrap_interval(correct, seed)
    f1 = f1_score(labels, decisions, labels=classes, average="macro", zero_division=0.0)
    return {
        "accuracy": float(correct.mean()),
        "accuracy_ci95": [low, high],
        "f1": float(f1),
        "roc_auc": _roc_auc(labels, scores),
        "log_loss": float(log_loss(labels, scores, labels=classes)),
        "ece": calibration_error(scores, labels),
    }


def confusion(
    labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]
) -> NDArray[np.int64]:
    """Count rows by label (first axis) and predicted class (second axis)."""
    classes, decisions = range(probabilities.shape[1]), probabilities.argmax(axis=1)
    return np.array([[((labels == i) & (decisions == j)).sum() for j in classes] for i in classes])


def numbers(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Flatten the numbers of (nested) metrics to dotted names, for experiment trackers."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat.update(numbers(value, f"{prefix}{name}."))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[prefix + name] = float(value)
    return flat


def bootstrap_interval(correct: NDArray[np.bool_], seed: int = 0) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of the share of `correct`."""
    # The mean of a resample of 0/1 values is a binomial draw: no need to resample the rows themselves.
    draws = np.random.default_rng(seed).binomial(len(correct), correct.mean(), _BOOTSTRAP_SAMPLES)
    low, high = np.percentile(draws / len(correct), [2.5, 97.5])
    return float(low), float(high)


def paired_interval(
    before: NDArray[np.bool_], after: NDArray[np.bool_], seed: int = 0
) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of the gain in accuracy on the same rows."""
    rows = len(before)
    better, worse = int((after & ~before).sum()), int((before & ~after).sum())
    # Resampling the rows is equivalent to drawing how many are better, worse and equal.
    shares = np.array([better, worse, rows - better - worse]) / rows
    draws = np.random.default_rng(seed).multinomial(rows, shares, _PAIRED_SAMPLES)
    low, high = np.percentile((draws[:, 0] - draws[:, 1]) / rows, [2.5, 97.5])
    return float(low), float(high)


def _roc_auc(labels: NDArray[np.integer[Any]], probabilities: NDArray[np.float64]) -> float | None:
    classes = probabilities.shape[1]
    if len(np.unique(labels)) < classes:
        return None
    if classes == 2:
        return float(roc_auc_score(labels, probabilities[:, 1]))
    return float(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"))
