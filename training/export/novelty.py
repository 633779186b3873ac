"""The novelty of a text: its distance from the validation rows in the encoder's space.

The measure is fitted here and stored in the model card; serving has its own implementation, and
`tests/test_same_answers.py` proves that both give the same number. It is the Mahalanobis distance to the
nearest label's centroid (Lee et al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution
Samples and Adversarial Attacks") with a covariance that is diagonal except for a few directions;
docs/decisions/0014-novelty.md compares it with others. Thresholds are not set here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export.graph import POOLED

# Familiar texts vary along few directions, such as the one between the labels, so distance along them says
# little: with it, German texts were further away than English ones only two times in three.
DIRECTIONS = 16
ROWS_PER_DIRECTION = 10
DIMENSIONS_PER_DIRECTION = 8
# The distance of familiar texts in standard deviations differs between encoders. So that one threshold fits
# all, the measure is scaled to put this percentile of the validation rows, measured by cross-validation, at
# FAR.
FAMILIAR_PERCENTILE, FAR, FOLDS = 99, 1.5, 5
# Otherwise the rounding noise of a dimension that hardly varies would dominate.
SMALLEST_SPREAD = 0.01  # of the median spread
SIGNIFICANT_DIGITS = 5


@dataclass(frozen=True)
class NoveltyMeasure:
    """The centroid of each label in the encoder's space, and the spread around it."""

    labels: list[str]
    centroids: NDArray[np.float64]  # (labels, width)
    spread: NDArray[np.float64]  # (width,), standard deviation within a label, up to a common factor
    common: NDArray[np.float64]  # (directions, width), of common variation, in units of spread
    rows: int

    def of(self, pooled: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the novelty of (texts, width) as (texts,); of familiar texts, 1% is beyond FAR."""
        nearest = np.full(len(pooled), np.inf)
        for centroid in self.centroids:
            deviations = (pooled - centroid) / self.spread
            explained = deviations @ self.common.T
            squares = (deviations**2).sum(axis=1) - (explained**2).sum(axis=1)
            nearest = np.minimum(nearest, np.sqrt(np.maximum(squares, 0) / len(self.spread)))
        return nearest

    def card_field(self) -> dict[str, Any]:
        """Return the field of the model card."""
        return {
            "output": POOLED,
            "rows": self.rows,
            "split": "validation",
            "centroids": dict(zip(self.labels, self.centroids.tolist(), strict=True)),
            "spread": self.spread.tolist(),
            "common": self.common.tolist(),
        }


def fit_novelty(
    pooled: NDArray[np.float32] | None,
    truth: NDArray[np.integer[Any]],
    labels: Sequence[str],
    *,
    directions: int = DIRECTIONS,
) -> NoveltyMeasure | None:
    """Fit the measure on labeled vectors (rows, width), rounded as in the card.

    Returns None if the graph has no pooled output, or if the spread cannot be estimated: a label has fewer
    than five rows, or all of its rows are equal.
    """
    if pooled is None or not np.isfinite(pooled).all():
        return None
    if np.bincount(truth, minlength=len(labels)).min() < FOLDS:
        return None
    rows = pooled.astype(np.float64)
    fold = np.empty(len(rows), dtype=int)
    fold[np.argsort(truth, kind="stable")] = np.arange(len(rows)) % FOLDS  # a fifth of each label
    distances = np.zeros(len(rows))
    for held_out in (fold == number for number in range(FOLDS)):
        others = _fit(rows[~held_out], truth[~held_out], labels, directions)
        if others is None:
            return None
        distances[held_out] = others.of(rows[held_out])
    measure = _fit(rows, truth, labels, directions)
    if measure is None:
        return None
    return NoveltyMeasure(
        labels=measure.labels,
        centroids=_rounded(measure.centroids),
        spread=_rounded(measure.spread * np.percentile(distances, FAMILIAR_PERCENTILE) / FAR),
        common=_rounded(measure.common),
        rows=measure.rows,
    )


def _fit(
    rows: NDArray[np.float64], truth: NDArray[np.integer[Any]], labels: Sequence[str], directions: int
) -> NoveltyMeasure | None:
    """Fit the measure in units of standard deviations; None if half of the dimensions are constant."""
    centroids = np.stack([rows[truth == label].mean(axis=0) for label in range(len(labels))])
    deviations = rows - centroids[truth]
    freedom = len(rows) - len(labels)
    spread = np.sqrt((deviations**2).sum(axis=0) / freedom)
    spread = np.maximum(spread, SMALLEST_SPREAD * np.median(spread))
    if not spread.all():
        return None
    common = _common_directions(deviations / spread, freedom, directions)
    return NoveltyMeasure(list(labels), centroids, spread, common, len(rows))


def _common_directions(deviations: NDArray[np.float64], freedom: int, most: int) -> NDArray[np.float64]:
    """Return the directions of the largest variance of the deviations, as the rows of a matrix M.

    They are scaled so that |d|² - |M d|² is, up to a factor, the squared Mahalanobis distance of a deviation
    d under a covariance that is isotropic except in these directions.
    """
    width = deviations.shape[1]
    count = min(most, freedom // ROWS_PER_DIRECTION, width // DIMENSIONS_PER_DIRECTION)
    variances, directions = np.linalg.eigh(deviations.T @ deviations / freedom)  # in ascending order
    left = float(variances[: width - count].mean())
    strongest = slice(width - count, width)
    common: NDArray[np.float64] = (directions[:, strongest] * np.sqrt(1 - left / variances[strongest])).T
    return common


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep five significant digits: well below the error of int8, in half the bytes."""
    short = [float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values.ravel()]
    return np.array(short).reshape(values.shape)
