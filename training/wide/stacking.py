"""Add up the deep and the wide part: two weights and a bias per label, fitted on validation rows.

Both parts have seen the training rows, so only rows that neither has seen tell how far each can be trusted
(Wolpert 1992, "Stacked Generalization"). The fit minimizes the log loss, so the sum is calibrated too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

# Of the sum of the rows' losses; keeps weights finite where the parts separate a few rows perfectly.
_PENALTY = 0.1


@dataclass(frozen=True)
class Stacking:
    """logits = deep_weight * deep + wide_weight * wide + bias."""

    deep_weight: float
    wide_weight: float
    bias: NDArray[np.float32]  # (labels,), sums to 0

    def logits(self, deep: NDArray[np.floating[Any]], wide: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the logits (rows, labels) of both parts together."""
        return self.deep_weight * deep.astype(np.float64) + self.wide_weight * wide + self.bias


def fit_stacking(
    deep: NDArray[np.floating[Any]], wide: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> Stacking:
    """Fit on the logits (rows, labels) of both parts; neither weight is negative.

    The penalty pulls the weights towards 1 for the deep part and 0 for the wide one, and the bias to 0, so
    that without rows the deep part is left as it is.
    """
    rows, count = deep.shape
    truth = np.eye(count)[labels]
    deep, wide = deep.astype(np.float64), wide.astype(np.float64)
    rest = np.concatenate([[1.0, 0.0], np.zeros(count)])

    def loss(given: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = given[0] * deep + given[1] * wide + given[2:]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        error = (np.exp(log_probabilities) - truth) / rows
        away = given - rest
        value = -float((log_probabilities * truth).sum()) / rows + _PENALTY / (2 * rows) * float(away @ away)
        gradient = np.concatenate([[(error * deep).sum(), (error * wide).sum()], error.sum(axis=0)])
        return value, gradient + _PENALTY / rows * away

    bounds = [(0.0, None), (0.0, None), *[(None, None)] * count]
    found = minimize(loss, rest, jac=True, method="L-BFGS-B", bounds=bounds).x
    bias = found[2:] - found[2:].mean()
    return Stacking(float(found[0]), float(found[1]), bias.astype(np.float32))
