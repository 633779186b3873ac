"""How far a text is from the validation texts, computed from the forward pass's pooled output.

Training defines the measure in the model card; a test checks that both sides compute the same number. The
drift monitor decides what is too novel.
"""

import math
import operator

import numpy as np
from numpy.typing import NDArray

from functions.api.model.artifact import NoveltyRecord


class NoveltyMeasure:
    """Measures texts against the centroids of the card.

    In units of spread, with y the text, c a centroid and M the common directions, the squared distance is
    |y - c|² - |M (y - c)|² = |y|² - |M y|² + 2 (MᵀM c - c)·y + |c|² - |M c|². All products with y are one
    matrix here, and the rest is precomputed. That leaves three numpy calls per text, which matters because
    after a forward pass the processor's caches are full of weights and each call is several times slower.
    Single precision is not enough: the result is a small difference of large squares.
    """

    def __init__(self, record: NoveltyRecord) -> None:
        self.width = len(record.spread)
        self._scale = 1 / np.array(record.spread)
        centroids = np.array(list(record.centroids.values())) * self._scale
        common = np.array(record.common).reshape(-1, self.width)
        projected = centroids @ common.T
        self._directions = len(common)
        self._products = np.vstack([common, 2 * (projected @ common - centroids)])
        self._constants = ((centroids**2).sum(axis=1) - (projected**2).sum(axis=1)).tolist()

    def of(self, pooled: NDArray[np.float32]) -> float | None:
        """Return the novelty of a pooled vector of shape (width,); None if it is not finite.

        This is the Mahalanobis distance to the nearest centroid, scaled so that 1 in 100 texts like the
        validation rows is beyond 1.5. Variation along the directions common to familiar texts counts little.
        """
        text = pooled * self._scale
        length = float(np.dot(text, text))
        if not math.isfinite(length):
            return None
        products = np.dot(self._products, text).tolist()
        explained = sum(product * product for product in products[: self._directions])
        to_centroids = map(operator.add, products[self._directions :], self._constants)
        return math.sqrt(max(length - explained + min(to_centroids), 0) / self.width)
