"""The performance verdict: accuracy by labels if there are enough, and always an estimate without labels.

The estimate is confidence-based (as NannyML's CBPE): the reference shows how often predictions of some
confidence are correct, so the confidences of a window show how many of its predictions should be. That
detects inputs that are harder for the model. It does not detect concept drift, where the same texts have
another label, nor texts so foreign that confidence itself misleads; labels do (docs/monitoring.md).

Confidence is calibrated by Platt scaling, a logistic curve over its log-odds. An isotonic fit gave the same
accuracy (`python -m benchmarks.monitoring.performance_estimation`), and the curve extrapolates where a
reference of a thousand rows has few.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import binom
from sentiment.intervals import wilson

from functions.drift_monitor.detection.features import Feature
from functions.drift_monitor.detection.verdicts import FeatureDrift

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BOOTSTRAP_ROUNDS = 300  # the bounds of a 95% interval are then stable to a few tenths of a point
INTERVAL = (2.5, 97.5)  # percentiles
MAX_STEPS, TOLERANCE, RIDGE = (
    50,
    1e-6,
    1e-9,
)  # of the fit (about six steps); equal rows need the ridge
EPSILON = 1e-6  # confidences are clipped this far from 0 and 1
DISAGREEMENT = Feature(name="disagreement", verdict="prediction_drift", aspect="labels", kind="agreement")
MAX_DRAW = 5000  # rows; a larger window says no more about its mean


@dataclass(frozen=True)
class Accuracy:
    """A share of correct predictions with its 95% interval, and the rows it is based on."""

    accuracy: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class LabeledAccuracy(Accuracy):
    """Accuracy by labels, and the accuracy that calibrated confidence expects on the same rows."""

    expected: float


@dataclass(frozen=True)
class Performance:
    """The verdict on accuracy, and what it is based on."""

    reference: float
    reference_rows: int
    estimate: Accuracy
    labeled: LabeledAccuracy | None  # None if there are too few labels
    labels: int  # given, enough or not
    margin: float

    @property
    def deciding(self) -> Accuracy:
        """Return the accuracy that decides: by labels if there are enough, else the estimate."""
        return self.labeled or self.estimate

    @property
    def drifted(self) -> bool:
        """Return whether the whole interval is below the reference by more than the margin."""
        return self.deciding.high < self.reference - self.margin

    def as_dict(self) -> dict[str, Any]:
        """Return the fields stored in dataset_metrics."""
        return {
            "drifted": self.drifted,
            "decided_by": "estimate" if self.labeled is None else "labels",
            "reference": {"accuracy": round(self.reference, 4), "rows": self.reference_rows},
            "estimate": _rounded(self.estimate),
            "labeled": None if self.labeled is None else _rounded(self.labeled),
            "labels": self.labels,
        }


class Calibration:
    """Maps confidence to the probability of a correct prediction, fitted on rows with known labels."""

    def __init__(self, confidence: Floats, correct: Bools) -> None:
        self.slope, self.intercept = _fit(_log_odds(confidence), correct)

    def __call__(self, confidence: Floats) -> Floats:
        """Return for each confidence the probability that the prediction is correct."""
        probability: Floats = expit(self.slope * _log_odds(confidence) + self.intercept)
        return probability


def evaluate_performance(
    reference: tuple[Floats, Bools],
    window: Floats,
    labeled: tuple[Floats, Bools],
    *,
    minimum_labels: int,
    margin: float,
) -> Performance:
    """Compare accuracy with the reference's; each pair is confidences, and whether predictions were correct.

    `window` holds the confidences of predictions without labels. The same rows give the same result.
    """
    _, reference_correct = reference
    confidence, correct = labeled
    enough = len(correct) >= max(1, minimum_labels)
    return Performance(
        reference=float(reference_correct.mean()),
        reference_rows=len(reference_correct),
        estimate=estimate_accuracy(*reference, window),
        labeled=_by_labels(Calibration(*reference), confidence, correct) if enough else None,
        labels=len(correct),
        margin=margin,
    )


def estimate_accuracy(confidence: Floats, correct: Bools, window: Floats) -> Accuracy:
    """Return the accuracy that a window of such confidences should have, given rows with known labels.

    The interval is a bootstrap over both: it covers the uncertainty of the calibration and the variation
    between windows of that size.
    """
    random = np.random.default_rng(0)
    point = float(Calibration(confidence, correct)(window).mean())
    size = min(len(window), MAX_DRAW)

    def draw() -> float:
        known = random.integers(len(correct), size=len(correct))
        expected = Calibration(confidence[known], correct[known])(random.choice(window, size))
        return float((random.random(size) < expected).mean())

    low, high = np.percentile([draw() for _ in range(BOOTSTRAP_ROUNDS)], INTERVAL)
    return Accuracy(point, float(low), float(high), len(window))


def disagreement(performance: Performance, *, false_alarm_rate: float) -> FeatureDrift | None:
    """Return how far accuracy by labels is below what confidence expects; None with too few labels.

    Chance exceeds the threshold at that rate (binomial), unless the margin is larger. Where confidence is
    low, errors are expected; more errors than that mean concept drift.
    """
    labeled = performance.labeled
    if labeled is None:
        return None
    least = binom.ppf(false_alarm_rate, labeled.rows, labeled.expected) / labeled.rows
    return FeatureDrift(
        DISAGREEMENT,
        effect=max(0.0, labeled.expected - labeled.accuracy),
        # At least one label, so that a model that is always correct has a threshold even without a margin.
        threshold=max(performance.margin, labeled.expected - float(least), 1 / labeled.rows),
        reference=round(labeled.expected, 4),
        current=round(labeled.accuracy, 4),
    )


def _by_labels(calibration: Calibration, confidence: Floats, correct: Bools) -> LabeledAccuracy:
    low, high = wilson(int(correct.sum()), len(correct))
    expected = float(calibration(confidence).mean())
    return LabeledAccuracy(float(correct.mean()), low, high, len(correct), expected)


def _fit(log_odds: Floats, correct: Bools) -> tuple[float, float]:
    """Return slope and intercept of Platt scaling (1999), with his targets just short of 0 and 1.

    The targets keep a reference without errors from predicting that there will never be one.
    """
    positive = int(correct.sum())
    target = np.where(correct, (positive + 1) / (positive + 2), 1 / (len(correct) - positive + 2))
    design = np.stack([log_odds, np.ones_like(log_odds)], axis=1)

    def loss(weights: Floats) -> float:
        score = design @ weights
        return float((np.logaddexp(0, score) - target * score).sum())

    weights = np.zeros(2)
    for _ in range(MAX_STEPS):  # Newton's method; a step that would increase the loss is halved
        expected = expit(design @ weights)
        curvature = design.T @ (design * (expected * (1 - expected))[:, None]) + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (target - expected))
        while loss(weights + step) > loss(weights) and np.abs(step).max() > TOLERANCE:
            step /= 2
        weights = weights + step
        if np.abs(step).max() <= TOLERANCE:
            break
    return float(weights[0]), float(weights[1])


def _log_odds(confidence: Floats) -> Floats:
    odds: Floats = logit(np.clip(confidence, EPSILON, 1 - EPSILON))
    return odds


def _rounded(accuracy: Accuracy) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in asdict(accuracy).items()}
