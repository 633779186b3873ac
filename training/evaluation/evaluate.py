"""Evaluate a published model: metrics, calibration, slices, mistakes and robustness.

All results are for the held-out rows in the artifact, predicted as in serving. The slices apply to any kind
of text. `training.evaluation.page` writes the page about them.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import Bin, calibration_error, reliability
from training.evaluation.robustness import INVARIANCES, POLAR, negations
from training.evaluation.served import ServedModel
from training.metrics import bootstrap_interval, confusion

MISTAKES = 10
ROBUSTNESS_ROWS = 200
_RESAMPLES = 500
_TOKENS = ((1, 64), (65, 128), (129, 256), (257, 512), (513, None))
_NEGATION = re.compile(r"\b(?:not|never|no|nothing|nobody|hardly|\w+n't)\b", re.IGNORECASE)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Metric:
    """A metric with its 95% interval."""

    name: str
    value: float
    interval: Interval


@dataclass(frozen=True)
class Slice:
    """The accuracy on a subset of the rows."""

    kind: str
    name: str
    rows: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class RobustnessResult:
    """The effect of a perturbation: accuracy before and after, and the share of changed predictions."""

    name: str
    rows: int
    before: float
    accuracy: float
    interval: Interval
    changed: float


@dataclass(frozen=True)
class Mistake:
    """A confidently misclassified text."""

    text: str
    label: str
    predicted: str
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of one artifact."""

    card: dict[str, Any]
    rows: int
    metrics: list[Metric]
    slices: list[Slice]
    robustness: list[RobustnessResult]
    reliability: list[Bin]
    confusion: NDArray[np.int64]  # (label, prediction), in the card's order
    mistakes: list[Mistake]

    def tracked_metrics(self) -> dict[str, Any]:
        """Return the numbers to log in an experiment tracker."""
        return {
            "slices": {_key(f"{one.kind} {one.name}"): one.accuracy for one in self.slices},
            "robustness": {_key(one.name): one.accuracy for one in self.robustness},
        }


def evaluate(model: ServedModel, *, seed: int = 0) -> Evaluation:
    """Evaluate the model; runs it on perturbed held-out rows."""
    card, table = model.card, model.reference
    labels: list[str] = card["labels"]
    texts: list[str] = table["text"].to_pylist()
    truth_names: list[str] = table["label"].to_pylist()
    truth = np.array([labels.index(one) for one in truth_names])
    probabilities = np.array(table["probabilities"].to_pylist(), dtype=np.float64)
    decided = probabilities.argmax(axis=1)
    right = decided == truth
    return Evaluation(
        card=card,
        rows=len(texts),
        metrics=_metrics(truth, probabilities, seed),
        slices=list(_slices(texts, truth_names, table["tokens"].to_pylist(), right, card["max_length"])),
        robustness=_robustness(model, texts, truth_names, seed),
        reliability=reliability(probabilities, truth),
        confusion=confusion(truth, probabilities),
        mistakes=_mistakes(
            texts, truth_names, [labels[one] for one in decided], probabilities.max(axis=1), right
        ),
    )


def _metrics(truth: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int) -> list[Metric]:
    classes = np.arange(probabilities.shape[1])

    def accuracy(t: NDArray[np.int64], p: NDArray[np.float64]) -> float:
        return float((p.argmax(axis=1) == t).mean())

    def brier(t: NDArray[np.int64], p: NDArray[np.float64]) -> float:
        return float(((p - np.eye(len(classes))[t]) ** 2).sum(axis=1).mean())

    functions: dict[str, Callable[[NDArray[np.int64], NDArray[np.float64]], float]] = {
        "accuracy": accuracy,
        "F1, macro": macro_f1,
        "ROC AUC": macro_auc,
        "calibration error (ECE)": lambda t, p: calibration_error(p, t),
        "Brier score": brier,
    }
    if len(np.unique(truth)) < len(classes):
        del functions["ROC AUC"]
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(truth), len(truth))
        if len(np.unique(truth[rows])) < len(np.unique(truth)):
            continue  # of a few rows, a label may not be drawn
        for name, function in functions.items():
            drawn[name].append(function(truth[rows], probabilities[rows]))
    found = []
    for name, function in functions.items():
        value = function(truth, probabilities)
        low, high = np.percentile(drawn[name] or [value], [2.5, 97.5])
        found.append(Metric(name, value, (float(low), float(high))))
    return found


# Faster than scikit-learn's, which validate their input for a millisecond per call: seconds per evaluation.


def macro_f1(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the unweighted mean of the classes' F1 scores; a class without rows counts as 0."""
    classes = probabilities.shape[1]
    counts = np.bincount(truth * classes + probabilities.argmax(axis=1), minlength=classes**2)
    table = counts.reshape(classes, classes)
    support = table.sum(axis=0) + table.sum(axis=1)
    return float(np.divide(2 * table.diagonal(), support, out=np.zeros(classes), where=support > 0).mean())


def macro_auc(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve; for three or more classes, the mean of one-vs-rest."""
    positives = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else (1,)
    return float(np.mean([_auc(truth == label, probabilities[:, label]) for label in positives]))


def _auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the share of correctly ordered pairs, ties as half (Mann-Whitney U)."""
    _, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[index]
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(scores) - count)))


def _slices(
    texts: Sequence[str],
    labels: Sequence[str],
    tokens: Sequence[int],
    right: NDArray[np.bool_],
    max_length: int,
) -> list[Slice]:
    counts = np.array(tokens)
    negated = np.array([bool(_NEGATION.search(text)) for text in texts])
    members: dict[tuple[str, str], NDArray[np.bool_]] = {}
    for low, high in _TOKENS:
        name = f"{low} to {high}" if high else f"{low} and more"
        members["tokens", name] = (counts >= low) & (counts <= (high or counts.max()))
    members["read", "whole"] = counts <= max_length
    members["read", f"cut to {max_length} tokens"] = counts > max_length
    for label in dict.fromkeys(sorted(labels)):
        members["label", label] = np.array([one == label for one in labels])
    members["negation words", "some"] = negated
    members["negation words", "none"] = ~negated
    return [
        Slice(kind, name, int(inside.sum()), float(right[inside].mean()), bootstrap_interval(right[inside]))
        for (kind, name), inside in members.items()
        if inside.any()
    ]


def _robustness(
    model: ServedModel, texts: Sequence[str], labels: Sequence[str], seed: int
) -> list[RobustnessResult]:
    rng = random.Random(seed)  # noqa: S311  (not for security)
    rows = sorted(rng.sample(range(len(texts)), min(ROBUSTNESS_ROWS, len(texts))))
    sample, truth = [texts[row] for row in rows], [labels[row] for row in rows]
    before = model.predict(sample)
    found = []
    for name, change in INVARIANCES.items():
        after = model.predict([change(text, rng) for text in sample])
        found.append(_result(name, before, after, truth, truth))
    if set(model.card["labels"]) == POLAR:
        plain, negated, label = map(list, zip(*negations(), strict=True))
        other = [next(iter(POLAR - {one})) for one in label]
        found.append(
            _result("a plain sentence negated", model.predict(plain), model.predict(negated), label, other)
        )
    return found


def _result(
    name: str, before: Sequence[str], after: Sequence[str], expected: Sequence[str], then: Sequence[str]
) -> RobustnessResult:
    right = np.array([one == label for one, label in zip(after, then, strict=True)])
    return RobustnessResult(
        name=name,
        rows=len(after),
        before=float(np.mean([one == label for one, label in zip(before, expected, strict=True)])),
        accuracy=float(right.mean()),
        interval=bootstrap_interval(right),
        changed=float(np.mean([one != other for one, other in zip(before, after, strict=True)])),
    )


def _mistakes(
    texts: Sequence[str],
    labels: Sequence[str],
    predicted: Sequence[str],
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
) -> list[Mistake]:
    wrong = sorted(np.flatnonzero(~right).tolist(), key=lambda row: -confidence[row])[:MISTAKES]
    return [Mistake(texts[row], labels[row], predicted[row], float(confidence[row])) for row in wrong]


def _key(name: str) -> str:
    return re.sub(r"\W+", "_", name)
