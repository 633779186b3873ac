"""Precision and recall by label, and the warning about a label that is mostly missed."""

from pathlib import Path
from typing import Any

import pytest

from training.commands import by_label, published
from training.evaluation.labels import missed_labels, precision_and_recall
from training.export.artifact import Artifact

LABELS = ["bug", "question", "other"]


def card(confusion: list[list[int]], labels: list[str] = LABELS) -> dict[str, Any]:
    metrics = {"rows": 10, "flipped": 0.0, "confusion": confusion}
    metrics |= {graph: {"accuracy": 0.9} for graph in ("int8", "fp32")}
    return {"labels": labels, "metrics": metrics, "model_version": "20261129-1"}


def test_precision_divides_by_predictions_and_recall_by_labels() -> None:
    assert precision_and_recall([[8, 2], [0, 10]]) == [(1.0, 0.8), (10 / 12, 1.0)]


def test_what_never_occurs_is_undefined_and_not_zero() -> None:
    assert precision_and_recall([[3, 0, 0], [1, 0, 0], [0, 0, 0]]) == [(0.75, 1.0), (None, 0.0), (None, None)]


def test_a_label_is_missed_below_half_of_its_rows() -> None:
    assert missed_labels(LABELS, [[5, 5, 0], [6, 4, 0], [0, 0, 0]]) == ["question"]


def test_the_last_line_of_a_run_warns_of_a_label_that_is_never_predicted(tmp_path: Path) -> None:
    """A model that never predicts the rare label has 97% accuracy here."""
    rare = card([[97, 0], [3, 0]], ["fine", "fraud"])
    (tmp_path / "models" / "20261129-1").mkdir(parents=True)
    (tmp_path / "models" / "20261129-1" / "model.json").touch()
    (tmp_path / "model").symlink_to("models/20261129-1")
    *_, before, last = published(Artifact(tmp_path, rare), tmp_path)
    assert before == "precision and recall: fine 97.0%, 100.0%; fraud none predicted, 0.0%"
    assert last.startswith("warning: the model finds less than half of the rows labeled fraud; add rows")


@pytest.mark.parametrize(("labels", "shown"), [(3, 3), (8, 8), (40, 8)])
def test_of_many_labels_those_with_the_lowest_recall_are_shown(labels: int, shown: int) -> None:
    table = [[0] * labels for _ in range(labels)]
    for label in range(labels):
        table[label][label], table[label][0] = label + 1, 1
    [line] = by_label(card(table, [f"label {number}" for number in range(labels)]))
    listed = [f"label {number} " in line for number in range(labels)]
    assert sum(listed) == shown
    assert line.endswith("; 32 more labels with higher recall") == (labels == 40)
