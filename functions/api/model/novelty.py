"""How far a text lies from those the model was validated on, from what the forward pass gives anyway.

The measure is training's and stands in the model card; a test proves that both sides compute the same number.
What counts as too novel is the drift monitor's to say.
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
    matrix here, and all else is known beforehand. That leaves three calls of numpy a text: a forward pass
    leaves the processor's caches full of its weights, so that a call costs several times what it does in a
    loop of its own. Single precision would not do: large squares are taken off each other.
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
        """Measure one text by its pooled vector, of shape (width,); None when that holds no finite numbers.

        It is Mahalanobis's distance to the nearest centroid, in a unit of training's choice: of a hundred
        texts like the validation rows one lies beyond 1.5. What moves along the directions that familiar
        texts share counts little.
        """
        text = pooled * self._scale
        length = float(np.dot(text, text))
        if not math.isfinite(length):
            return None
        products = np.dot(self._products, text).tolist()
        explained = sum(product * product for product in products[: self._directions])
        to_centroids = map(operator.add, products[self._directions :], self._constants)
        return math.sqrt(max(length - explained + min(to_centroids), 0) / self.width)
