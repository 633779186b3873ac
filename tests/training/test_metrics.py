"""The metrics follow the textbook and are JSON-serializable."""

import json

import numpy as np
import pytest

from training.metrics import classification_metrics, numbers

LABELS = np.array([0, 0, 1, 1])
SCORES = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]])


def test_two_classes() -> None:
    metrics = classification_metrics(LABELS, SCORES)
    assert metrics["accuracy"] == 0.75
    assert metrics["roc_auc"] == 1.0
    # F1 of class 0: precision 1, recall 1/2; of class 1: precision 2/3, recall 1.
    assert metrics["f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.8]).mean())


def test_three_classes() -> None:
    labels = np.array([0, 1, 2])
    metrics = classification_metrics(labels, np.eye(3) * 0.7 + 0.1)
    assert (metrics["accuracy"], metrics["f1"], metrics["roc_auc"]) == (1.0, 1.0, 1.0)


def test_scores_need_not_sum_to_one() -> None:
    assert classification_metrics(LABELS, SCORES * 3) == classification_metrics(LABELS, SCORES)


def test_the_interval_holds_the_accuracy_and_narrows_with_more_rows() -> None:
    few = classification_metrics(LABELS, SCORES)
    many = classification_metrics(np.tile(LABELS, 250), np.tile(SCORES, (250, 1)))
    low, high = many["accuracy_ci95"]
    assert low < 0.75 < high
    # Normal approximation: 1.96 * sqrt(p (1 - p) / n) on each side.
    assert high - low == pytest.approx(2 * 1.96 * (0.75 * 0.25 / 1000) ** 0.5, rel=0.1)
    assert few["accuracy_ci95"][1] - few["accuracy_ci95"][0] > high - low


def test_a_class_that_never_occurs_has_no_roc() -> None:
    metrics = classification_metrics(np.array([0, 0]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    assert metrics["roc_auc"] is None
    json.dumps(metrics, allow_nan=False)


def test_numbers_flattens_for_trackers() -> None:
    nested = {"head": {"accuracy": 0.5, "accuracy_ci95": [0.4, 0.6]}, "roc_auc": None, "rows": 2}
    assert numbers(nested) == {"head.accuracy": 0.5, "rows": 2.0}
