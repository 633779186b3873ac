"""How far a text lies from those the model was validated on, as the encoder sees it.

The measure is fitted here and travels in the model card; serving applies it in its own code, and
`tests/test_same_novelty.py` proves that both give the same number. The distance is Mahalanobis's with one
diagonal covariance shared by all labels, after Lee et al. 2018, "A Simple Unified Framework for Detecting
Out-of-Distribution Samples and Adversarial Attacks"; docs/decisions/0014-novelty.md says what else was tried.
Nothing here decides what is too novel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.graph import POOLED

SIGNIFICANT_DIGITS = 6
# A dimension that hardly moves among validation rows would otherwise decide alone, by its rounding noise.
SMALLEST_SPREAD = 0.01  # of the median dimension's


@dataclass(frozen=True)
class NoveltyMeasure:
    """Where texts of each label lie in the encoder's space, and how far they spread around it."""

    labels: list[str]
    centroids: NDArray[np.float64]  # (labels, width)
    spread: NDArray[np.float64]  # (width,), standard deviations within a label
    rows: int

    def of(self, pooled: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Measure texts: (texts, width) to (texts,), about 1 for texts like the validation rows."""
        nearest = np.full(len(pooled), np.inf)
        for centroid in self.centroids:
            deviations = (pooled - centroid) / self.spread
            nearest = np.minimum(nearest, np.sqrt((deviations * deviations).mean(axis=1)))
        return nearest

    def card_field(self) -> dict[str, Any]:
        """Return what the model card says of it."""
        return {
            "output": POOLED,
            "centroids": dict(zip(self.labels, self.centroids.tolist(), strict=True)),
            "spread": self.spread.tolist(),
            "rows": self.rows,
            "split": "validation",
        }


def fit(
    pooled: NDArray[np.float32] | None, truth: NDArray[np.integer[Any]], labels: Sequence[str]
) -> NoveltyMeasure | None:
    """Fit the measure on rows (rows, width) of known labels, already rounded as the card will hold it.

    None when the graph gives no pooled output, or when the rows cannot say how far a label spreads: one of
    the labels is missing, none has two rows, or all rows of a label are alike.
    """
    if pooled is None or len(pooled) <= len(labels) or set(truth.tolist()) != set(range(len(labels))):
        return None
    rows = pooled.astype(np.float64)
    centroids = np.stack([rows[truth == label].mean(axis=0) for label in range(len(labels))])
    spread = np.sqrt(((rows - centroids[truth]) ** 2).sum(axis=0) / (len(rows) - len(labels)))
    spread = np.maximum(spread, SMALLEST_SPREAD * np.median(spread))
    centroids, spread = _rounded(centroids), _rounded(spread)
    if not (np.isfinite(centroids).all() and np.isfinite(spread).all() and (spread > 0).all()):
        return None
    return NoveltyMeasure(list(labels), centroids, spread, len(rows))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep six significant digits: far finer than int8 leaves these numbers, in half the bytes."""
    short = [float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values.ravel()]
    return np.array(short).reshape(values.shape)
