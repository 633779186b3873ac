"""Measure a published model beyond its accuracy: calibration, where it errs, and what changes its mind.

All figures are of the held-out rows that the artifact carries, answered as they are served. Which slices help
is a matter of the data; these are those of any texts. The page that shows them is `training.evaluation.page`.
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

WORST = 10
ROBUSTNESS_ROWS = 200
_RESAMPLES = 500
_TOKENS = ((1, 64), (65, 128), (129, 256), (257, 512), (513, None))
_NEGATION = re.compile(r"\b(?:not|never|no|nothing|nobody|hardly|\w+n't)\b", re.IGNORECASE)

Interval = tuple[float, float]


@dataclass(frozen=True)
class Figure:
    """One measure with its 95% interval."""

    name: str
    value: float
    interval: Interval


@dataclass(frozen=True)
class Slice:
    """How right the model is on some of the rows."""

    kind: str
    name: str
    rows: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True)
class Change:
    """What a change of the texts does: accuracy after it, and how many answers it changed."""

    name: str
    rows: int
    before: float
    accuracy: float
    interval: Interval
    changed: float


@dataclass(frozen=True)
class WrongAnswer:
    """A text that the model was sure of, and wrong."""

    text: str
    label: str
    said: str
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    """Everything that is measured of one artifact."""

    card: dict[str, Any]
    rows: int
    figures: list[Figure]
    slices: list[Slice]
    changes: list[Change]
    reliability: list[Bin]
    confusion: NDArray[np.int64]  # (label, said), in the card's order
    worst: list[WrongAnswer]

    def metrics(self) -> dict[str, Any]:
        """Return the numbers for an experiment tracker."""
        return {
            "slices": {_key(f"{one.kind} {one.name}"): one.accuracy for one in self.slices},
            "robustness": {_key(one.name): one.accuracy for one in self.changes},
        }


def evaluate(model: ServedModel, *, seed: int = 0) -> Evaluation:
    """Measure the model; runs it on what the held-out rows become when they are changed."""
    card, table = model.card, model.reference
    labels: list[str] = card["labels"]
    texts: list[str] = table["text"].to_pylist()
    named: list[str] = table["label"].to_pylist()
    truth = np.array([labels.index(one) for one in named])
    probabilities = np.array(table["probabilities"].to_pylist(), dtype=np.float64)
    decided = probabilities.argmax(axis=1)
    right = decided == truth
    return Evaluation(
        card=card,
        rows=len(texts),
        figures=_figures(truth, probabilities, seed),
        slices=list(_slices(texts, named, table["tokens"].to_pylist(), right, card["max_length"])),
        changes=_changes(model, texts, named, seed),
        reliability=reliability(probabilities, truth),
        confusion=confusion(truth, probabilities),
        worst=_worst(texts, named, [labels[one] for one in decided], probabilities.max(axis=1), right),
    )


def _figures(truth: NDArray[np.int64], probabilities: NDArray[np.float64], seed: int) -> list[Figure]:
    classes = np.arange(probabilities.shape[1])

    def accuracy(t: NDArray[np.int64], p: NDArray[np.float64]) -> float:
        return float((p.argmax(axis=1) == t).mean())

    def brier(t: NDArray[np.int64], p: NDArray[np.float64]) -> float:
        return float(((p - np.eye(len(classes))[t]) ** 2).sum(axis=1).mean())

    measures: dict[str, Callable[[NDArray[np.int64], NDArray[np.float64]], float]] = {
        "accuracy": accuracy,
        "F1, macro": macro_f1,
        "ROC AUC": macro_auc,
        "calibration error (ECE)": lambda t, p: calibration_error(p, t),
        "Brier score": brier,
    }
    if len(np.unique(truth)) < len(classes):
        del measures["ROC AUC"]
    chance = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(_RESAMPLES):
        rows = chance.integers(0, len(truth), len(truth))
        if len(np.unique(truth[rows])) < len(np.unique(truth)):
            continue  # a handful of rows, of which one label was not drawn
        for name, measure in measures.items():
            drawn[name].append(measure(truth[rows], probabilities[rows]))
    found = []
    for name, measure in measures.items():
        value = measure(truth, probabilities)
        low, high = np.percentile(drawn[name] or [value], [2.5, 97.5])
        found.append(Figure(name, value, (float(low), float(high))))
    return found


# scikit-learn computes both too, but checks its input for a millisecond a call: seconds for an evaluation.


def macro_f1(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the unweighted mean of the classes' F1 scores; a class that nobody names counts as 0."""
    classes = probabilities.shape[1]
    counts = np.bincount(truth * classes + probabilities.argmax(axis=1), minlength=classes**2)
    table = counts.reshape(classes, classes)
    named = table.sum(axis=0) + table.sum(axis=1)
    return float(np.divide(2 * table.diagonal(), named, out=np.zeros(classes), where=named > 0).mean())


def macro_auc(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve, over three or more classes the mean of each against the rest."""
    judged = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else (1,)
    return float(np.mean([_auc(truth == label, probabilities[:, label]) for label in judged]))


def _auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the share of pairs that are in order, ties by half: the rank sum of Mann and Whitney."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
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


def _changes(model: ServedModel, texts: Sequence[str], labels: Sequence[str], seed: int) -> list[Change]:
    chance = random.Random(seed)  # noqa: S311  (a sample, not a secret)
    rows = sorted(chance.sample(range(len(texts)), min(ROBUSTNESS_ROWS, len(texts))))
    sample, truth = [texts[row] for row in rows], [labels[row] for row in rows]
    before = model.decide(sample)
    found = []
    for name, change in INVARIANCES.items():
        after = model.decide([change(text, chance) for text in sample])
        found.append(_change(name, before, after, truth, truth))
    if set(model.card["labels"]) == POLAR:
        plain, negated, label = map(list, zip(*negations(), strict=True))
        other = [next(iter(POLAR - {one})) for one in label]
        found.append(
            _change("a plain sentence negated", model.decide(plain), model.decide(negated), label, other)
        )
    return found


def _change(
    name: str, before: Sequence[str], after: Sequence[str], expected: Sequence[str], then: Sequence[str]
) -> Change:
    right = np.array([said == label for said, label in zip(after, then, strict=True)])
    return Change(
        name=name,
        rows=len(after),
        before=float(np.mean([said == label for said, label in zip(before, expected, strict=True)])),
        accuracy=float(right.mean()),
        interval=bootstrap_interval(right),
        changed=float(np.mean([one != other for one, other in zip(before, after, strict=True)])),
    )


def _worst(
    texts: Sequence[str],
    labels: Sequence[str],
    said: Sequence[str],
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
) -> list[WrongAnswer]:
    wrong = sorted(np.flatnonzero(~right).tolist(), key=lambda row: -confidence[row])[:WORST]
    return [WrongAnswer(texts[row], labels[row], said[row], float(confidence[row])) for row in wrong]


def _key(name: str) -> str:
    return re.sub(r"\W+", "_", name)
