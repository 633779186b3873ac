"""Fit the wide part of a classifier: a linear model of hashed unigrams and bigrams over the whole text.

Features are weighted by their log-count ratio before a logistic regression with an L2 penalty, after Wang and
Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification" (NB-SVM). Features are
counted, not only marked as present: on 4,000 IMDB reviews that took no part, counts were 0.3 points better,
and a sum over counts needs no deduplication at serving.

`training.wide.stacking` adds the wide part to the deep one (Cheng et al. 2016, "Wide & Deep Learning for
Recommender Systems").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from training.wide.features import buckets, count_matrix

# int8 weights; two labels need one column of them, as their logits are opposite.
TABLE_BYTES = 2**20
# Fewer buckets would collide too often, so with more than 16 columns the table grows.
MIN_BUCKETS = 2**16
# Of the sum of the rows' losses. On rows that took no part, the log loss was within 0.003 of the lowest with
# 200 to 18,900 rows: docs/decisions/0016-wide-and-deep.md.
PENALTY = 3.0
_SMOOTHING = 1.0  # added to each count, as in the paper
_MIN_COUNT = 2  # a feature seen once says little, and there are as many of them as of all others
_ITERATIONS = 60
_MEMORY = 5  # corrections that L-BFGS keeps, each as large as the weights
_INT8 = 127


@dataclass(frozen=True)
class WidePart:
    """A fitted wide part; `table` holds int8 weights, `scale` what one unit of each column is worth."""

    table: NDArray[np.int8]  # (buckets, 1) for two labels, else (buckets, labels)
    scale: NDArray[np.float32]  # (columns,)
    labels: int
    rows: int  # that it was fitted on

    @property
    def label_scale(self) -> NDArray[np.float32]:
        """Return the factors (labels,) from a row of the table to what it adds to each label's logit."""
        return self.scale * np.array([-0.5, 0.5], np.float32) if self.labels == 2 else self.scale

    def logits(self, encoded: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Score texts given as the ids of all their tokens; returns (texts, labels)."""
        size = len(self.table)
        sums = np.array([self.table[buckets(ids, size)].sum(axis=0, dtype=np.int32) for ids in encoded])
        scored: NDArray[np.float32] = sums * self.label_scale
        return scored


def fit_wide(
    encoded: Sequence[Sequence[int]],
    labels: Sequence[int],
    label_count: int,
    *,
    weights: Sequence[float] | None = None,
    size: int | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> WidePart:
    """Fit on texts given as the ids of all their tokens; `weights` are those of the rows in the loss.

    `size` is the number of buckets, by default what fits TABLE_BYTES. `report` gets the finished iterations
    and their maximum.
    """
    size = size or bucket_count(label_count)
    truth = np.asarray(labels)
    share = np.ones(len(truth), np.float32) if weights is None else np.asarray(weights, np.float32)
    counts = count_matrix(encoded, size)
    seen = np.flatnonzero(np.bincount(counts.indices, minlength=size) >= _MIN_COUNT)
    features = counts[:, seen].tocsr()
    positives = np.eye(label_count, dtype=np.float32)[truth][:, 1 if label_count == 2 else 0 :]
    ratios = _log_count_ratios(features, positives, share)
    learned = _minimize(features, positives, ratios, share, report) if len(seen) else ratios
    scale = np.maximum(np.abs(learned).max(axis=0, initial=0.0), 1e-12) / _INT8
    table = np.zeros((size, positives.shape[1]), np.int8)
    table[seen] = np.round(learned / scale)
    return WidePart(table, scale.astype(np.float32), label_count, len(truth))


def bucket_count(label_count: int) -> int:
    """Return the largest prime below the number of buckets that TABLE_BYTES allow, or MIN_BUCKETS."""
    columns = 1 if label_count == 2 else label_count
    number = max(TABLE_BYTES // columns, MIN_BUCKETS)
    while any(number % divisor == 0 for divisor in range(2, int(number**0.5) + 1)):
        number -= 1
    return number


def _log_count_ratios(
    features: "csr_matrix[Any]", positives: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the log ratio of each feature's share among a label's texts to that among the others."""
    present = features.copy()
    present.data = np.ones_like(present.data)
    inside = _SMOOTHING + present.T @ (positives * share[:, None])
    outside = _SMOOTHING + present.T @ ((1 - positives) * share[:, None])
    ratios: NDArray[np.float32] = np.log((inside / inside.sum(axis=0)) / (outside / outside.sum(axis=0)))
    return ratios


def _minimize(
    features: "csr_matrix[Any]",
    positives: NDArray[np.float32],
    ratios: NDArray[np.float32],
    share: NDArray[np.float32],
    report: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """Return the weights (features, columns) of the counts that minimize the penalized log loss."""
    transposed = features.T.tocsr()
    total = float(share.sum())
    penalty = PENALTY / total
    size, columns = ratios.shape

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat[: size * columns].reshape(size, columns).astype(np.float32)
        logits = features @ (ratios * weights) + flat[size * columns :]
        log_likelihood, expected = _outcome(logits, positives)
        error = ((expected - positives) * (share / total)[:, None]).astype(np.float32)
        gradient = ratios * (transposed @ error) + penalty * weights
        value = -float((log_likelihood * share).sum()) / total + penalty / 2 * float((weights**2).sum())
        return value, np.concatenate([gradient.ravel(), error.sum(axis=0)]).astype(np.float64)

    done = iter(range(1, _ITERATIONS + 1))
    found = minimize(
        loss,
        np.zeros(size * columns + columns),
        jac=True,
        method="L-BFGS-B",
        callback=lambda _: report(next(done), _ITERATIONS),
        options={"maxiter": _ITERATIONS, "maxcor": _MEMORY},
    )
    learned: NDArray[np.float32] = ratios * found.x[: size * columns].reshape(size, columns)
    return learned.astype(np.float32)


def _outcome(
    logits: NDArray[np.floating[Any]], positives: NDArray[np.float32]
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Return each row's log likelihood, and the expected value of each column."""
    if logits.shape[1] == 1:  # the logistic function; its bias is fitted again with the deep part
        signed = np.where(positives[:, 0] > 0, logits[:, 0], -logits[:, 0])
        return -np.logaddexp(0, -signed), 1 / (1 + np.exp(-logits))
    shifted = logits - logits.max(axis=1, keepdims=True)
    normalized = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalized[positives > 0], np.exp(normalized)
