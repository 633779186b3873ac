"""How far a text lies from those the model was validated on, from what the forward pass gives anyway.

The measure is training's and stands in the model card; a test proves that both sides compute the same number.
What counts as too novel is the drift monitor's to say.
"""

import math

import numpy as np
from numpy.typing import NDArray

from functions.api.artifact import NoveltyRecord


class NoveltyMeasure:
    """Measures texts against the centroids of the card."""

    def __init__(self, record: NoveltyRecord) -> None:
        self.width = len(record.spread)
        self._centroids = np.array(list(record.centroids.values()))
        self._spread = np.array(record.spread)
        self._common = np.array(record.common).reshape(-1, self.width).T

    def of(self, pooled: NDArray[np.float32]) -> float | None:
        """Measure one text by its pooled vector, of shape (width,); None when that holds no finite numbers.

        It is Mahalanobis's distance to the nearest centroid, per dimension: about 1 for texts like those of
        the validation rows. What moves along the directions that familiar texts share counts little.
        """
        with np.errstate(all="ignore"):
            deviations = (pooled - self._centroids) / self._spread
            explained = deviations @ self._common
            squares = (deviations**2).sum(axis=1) - (explained**2).sum(axis=1)
        nearest = math.sqrt(max(squares.min(), 0) / self.width)
        return nearest if math.isfinite(nearest) else None
