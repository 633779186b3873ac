"""Precision and recall by label, from a confusion matrix: (label, prediction) in the order of the labels."""

from collections.abc import Sequence


def precision_and_recall(table: Sequence[Sequence[int]]) -> list[tuple[float | None, float | None]]:
    """Return both for each label, None where it is undefined."""
    predicted = [sum(column) for column in zip(*table, strict=True)]
    return [
        (
            row[label] / predicted[label] if predicted[label] else None,
            row[label] / sum(row) if sum(row) else None,
        )
        for label, row in enumerate(table)
    ]


def missed_labels(labels: Sequence[str], table: Sequence[Sequence[int]]) -> list[str]:
    """Return the labels that the model finds in less than half of their rows."""
    found = zip(labels, precision_and_recall(table), strict=bool(table))
    return [label for label, (_, recall) in found if recall is not None and recall < 0.5]
