"""How often the model is right: by the labels people gave where there are enough, and always by an estimate.

The estimate needs no labels (confidence-based performance estimation, as in NannyML's CBPE): the reference
tells how often answers of some confidence are right, and so the confidences of a window tell how many of its
answers should be. That sees inputs that the model finds harder. It cannot see a world in which the same texts
mean something else, nor texts so foreign that confidence itself misleads; labels can (docs/monitoring.md).

Confidence is calibrated by Platt scaling, a logistic curve over its log-odds. An isotonic fit came out alike
(`python -m benchmarks.performance_estimation`), and the curve holds on where a reference of a thousand rows has few.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import binom
from sentiment.intervals import wilson

from functions.drift_monitor.detection.features import Feature
from functions.drift_monitor.detection.verdicts import Shift

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDS = 300  # of the bootstrap; the bounds of a 95% interval are then steady to a few tenths of a point
INTERVAL = (2.5, 97.5)  # percentiles
STEPS, PRECISION, RIDGE = 50, 1e-6, 1e-9  # of the fit, which takes about six; equal rows need the ridge
CERTAIN = 1e-6  # confidences nearer to 0 or 1 than this are as certain as it gets
DISAGREEMENT = Feature(name="disagreement", verdict="prediction_drift", aspect="labels", kind="agreement")
LARGEST_DRAW = 5000  # a larger window tells no more about its mean


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers with its 95% interval, and the rows it comes from."""

    accuracy: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class LabelledAccuracy(Accuracy):
    """What labels say, and how many of the very same rows calibrated confidence expects to be right."""

    expected: float


@dataclass(frozen=True)
class Performance:
    """The verdict on accuracy, and what it rests on."""

    reference: float
    reference_rows: int
    estimate: Accuracy
    labelled: LabelledAccuracy | None  # None when there are too few labels
    labels: int  # that were given, enough or not
    margin: float

    @property
    def evidence(self) -> Accuracy:
        """Return what decides: labels when there are enough of them, else the estimate."""
        return self.labelled or self.estimate

    @property
    def drifted(self) -> bool:
        """Tell whether all of the interval lies below the reference by more than the margin."""
        return self.evidence.high < self.reference - self.margin

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "drifted": self.drifted,
            "decided_by": "estimate" if self.labelled is None else "labels",
            "reference": {"accuracy": round(self.reference, 4), "rows": self.reference_rows},
            "estimate": _rounded(self.estimate),
            "labelled": None if self.labelled is None else _rounded(self.labelled),
            "labels": self.labels,
        }


class Calibration:
    """How often an answer of some confidence is right, learned from rows whose truth is known."""

    def __init__(self, confidence: Floats, right: Bools) -> None:
        self.slope, self.intercept = _fit(_log_odds(confidence), right)

    def __call__(self, confidence: Floats) -> Floats:
        """Return for each confidence the probability that the answer is right."""
        probability: Floats = expit(self.slope * _log_odds(confidence) + self.intercept)
        return probability


def judge_performance(
    reference: tuple[Floats, Bools],
    window: Floats,
    labelled: tuple[Floats, Bools],
    *,
    minimum_labels: int,
    margin: float,
) -> Performance:
    """Compare accuracy with the reference's; each pair is confidences, and whether the answers were right.

    `window` holds confidences of answers whose truth nobody knows. The same rows give the same figures.
    """
    _, right = reference
    confidence, agreed = labelled
    enough = len(agreed) >= max(1, minimum_labels)
    return Performance(
        reference=float(right.mean()),
        reference_rows=len(right),
        estimate=estimate_accuracy(*reference, window),
        labelled=_by_labels(Calibration(*reference), confidence, agreed) if enough else None,
        labels=len(agreed),
        margin=margin,
    )


def estimate_accuracy(confidence: Floats, right: Bools, window: Floats) -> Accuracy:
    """Return the accuracy that a window of such confidences should have, given rows whose truth is known.

    The interval is a bootstrap over both: it holds what is not known about the calibration, and the chance by
    which one window of that size differs from another.
    """
    random = np.random.default_rng(0)
    point = float(Calibration(confidence, right)(window).mean())
    size = min(len(window), LARGEST_DRAW)

    def draw() -> float:
        known = random.integers(len(right), size=len(right))
        expected = Calibration(confidence[known], right[known])(random.choice(window, size))
        return float((random.random(size) < expected).mean())

    low, high = np.percentile([draw() for _ in range(ROUNDS)], INTERVAL)
    return Accuracy(point, float(low), float(high), len(window))


def disagreement(performance: Performance, *, false_alarm_rate: float) -> Shift | None:
    """Return how far labels fall short of what confidence expects on the same rows; None with too few labels.

    Chance exceeds the threshold at that rate (binomial), unless the margin is more. Where the model is unsure
    it is expected to be wrong; falling short even of that means that the world answers otherwise now.
    """
    labelled = performance.labelled
    if labelled is None:
        return None
    least = binom.ppf(false_alarm_rate, labelled.rows, labelled.expected) / labelled.rows
    return Shift(
        DISAGREEMENT,
        effect=max(0.0, labelled.expected - labelled.accuracy),
        # One label at least, so that a model that is always right has a threshold without a margin too.
        threshold=max(performance.margin, labelled.expected - float(least), 1 / labelled.rows),
        reference=round(labelled.expected, 4),
        current=round(labelled.accuracy, 4),
    )


def _by_labels(calibration: Calibration, confidence: Floats, agreed: Bools) -> LabelledAccuracy:
    low, high = wilson(int(agreed.sum()), len(agreed))
    expected = float(calibration(confidence).mean())
    return LabelledAccuracy(float(agreed.mean()), low, high, len(agreed), expected)


def _fit(log_odds: Floats, right: Bools) -> tuple[float, float]:
    """Return slope and intercept of Platt's fit (1999, with his targets just short of 0 and 1).

    The targets keep a reference without a single error from promising that there will never be one.
    """
    positive = int(right.sum())
    target = np.where(right, (positive + 1) / (positive + 2), 1 / (len(right) - positive + 2))
    design = np.stack([log_odds, np.ones_like(log_odds)], axis=1)

    def loss(weights: Floats) -> float:
        score = design @ weights
        return float((np.logaddexp(0, score) - target * score).sum())

    weights = np.zeros(2)
    for _ in range(STEPS):  # Newton's method; the steps are halved where they would go too far
        expected = expit(design @ weights)
        curvature = design.T @ (design * (expected * (1 - expected))[:, None]) + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (target - expected))
        while loss(weights + step) > loss(weights) and np.abs(step).max() > PRECISION:
            step /= 2
        weights = weights + step
        if np.abs(step).max() <= PRECISION:
            break
    return float(weights[0]), float(weights[1])


def _log_odds(confidence: Floats) -> Floats:
    odds: Floats = logit(np.clip(confidence, CERTAIN, 1 - CERTAIN))
    return odds


def _rounded(accuracy: Accuracy) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in asdict(accuracy).items()}
