"""How near the estimate without labels comes to the truth: `python -m benchmarks.performance_estimation [ARTIFACT]`.

Answers real reviews that the model has never seen with the served artifact, draws windows from them, and
holds the drift monitor's estimate against the true accuracy of each window: on texts like the reference's, on
a harder mix of them, and on Rotten Tomatoes, one-line reviews that it was not trained for. Prints a table and
writes artifacts/bench/performance_estimation.json.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.isotonic import IsotonicRegression

from functions.api.model.artifact import load_artifact
from functions.api.model.classifier import Classifier
from functions.drift_monitor.detection.performance import estimate_accuracy
from training.config import configure
from training.data.prepare import prepare
from training.data.sources import read

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "artifacts" / "bench" / "performance_estimation.json"
IMDB_ROWS, OTHER_ROWS = 3000, 3000
WINDOW_ROWS, WINDOWS = 500, 200
UNSURE = 0.9  # windows of hard texts hold answers less sure than that twice as often


@dataclass(frozen=True)
class Answers:
    """Answers whose truth is known."""

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class Result:
    """Estimates of many windows against the truth; differences are estimate minus truth."""

    traffic: str
    true_accuracy: float
    estimate: float
    bias: float
    mean_error: float
    isotonic_mean_error: float
    raw_mean_error: float
    covered: float  # share of windows whose true accuracy lies in the interval


def answer(classifier: Classifier, texts: list[str], labels: list[int]) -> Answers:
    """Answer the texts as the API would."""
    predictions = [classifier.compute(text) for text in texts]
    names = classifier.card.labels
    return Answers(
        np.array([prediction.confidence for prediction in predictions]),
        np.array([p.sentiment == names[label] for p, label in zip(predictions, labels, strict=True)]),
    )


def unseen_reviews(card: dict[str, object], count: int) -> tuple[list[str], list[int]]:
    """Return IMDB reviews that were in no part of the artifact's own data."""
    options = {**dict(card["data"]["options"]), "data": "embedded"}  # type: ignore[index]
    parts = prepare(configure(**options))
    known = {text for part in (parts.train, parts.validation, parts.test) for text in part.texts}
    table = read(configure(source="imdb"))
    fresh = [i for i, text in enumerate(table.texts) if text not in known]
    chosen = np.random.default_rng(0).permutation(fresh)[:count]
    return [table.texts[i] for i in chosen], [int(table.labels[i]) for i in chosen]


def lines(count: int) -> tuple[list[str], list[int]]:
    """Return Rotten Tomatoes lines."""
    table = read(configure(source="rotten_tomatoes"))
    chosen = np.random.default_rng(0).permutation(len(table.texts))[:count]
    return [table.texts[i] for i in chosen], [int(table.labels[i]) for i in chosen]


def measure(
    name: str, known: Answers, traffic: Answers, weights: NDArray[np.float64] | None = None
) -> Result:
    """Draw windows, row by row with those weights, and compare."""
    random = np.random.default_rng(1)
    chances = None if weights is None else weights / weights.sum()
    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(known.confidence, known.right)
    truths, estimates, others, raw, covered = [], [], [], [], 0
    for _ in range(WINDOWS):
        drawn = random.choice(len(traffic.right), WINDOW_ROWS, replace=False, p=chances)
        confidence, truth = traffic.confidence[drawn], float(traffic.right[drawn].mean())
        estimate = estimate_accuracy(known.confidence, known.right, confidence)
        truths.append(truth)
        estimates.append(estimate.accuracy)
        others.append(isotonic.predict(confidence).mean())
        raw.append(confidence.mean())
        covered += estimate.low <= truth <= estimate.high

    def error(guesses: list[float]) -> float:
        return float(np.abs(np.array(guesses) - truths).mean())

    bias = float(np.mean(estimates) - np.mean(truths))
    figures = (float(np.mean(truths)), float(np.mean(estimates)), bias)
    return Result(name, *figures, error(estimates), error(others), error(raw), covered / WINDOWS)


def main() -> None:
    """Measure, print and write."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "artifacts" / "model"
    console = Console(width=max(110, Console().width))
    classifier = Classifier(load_artifact(folder), threads=2, cache_entries=0)
    card = json.loads((folder / "model.json").read_text())
    table = pq.read_table(folder / "reference.parquet").to_pandas()
    known = Answers(table["confidence"].to_numpy(), (table["sentiment"] == table["label"]).to_numpy())
    with console.status("Answering"):
        reviews = answer(classifier, *unseen_reviews(card, IMDB_ROWS))
        others = answer(classifier, *lines(OTHER_ROWS))
    hard = np.where(reviews.confidence < UNSURE, 2.0, 1.0)
    with console.status("Estimating"):
        results = [
            measure("reviews like the reference", known, reviews),
            measure("the same, unsure ones twice as often", known, reviews, hard),
            measure("Rotten Tomatoes, one line each", known, others),
        ]
    shown = Table("windows of", "truth", "estimate", "bias", "error: Platt", "isotonic", "raw", "covered")
    for result in results:
        name, *figures = asdict(result).values()
        shown.add_row(name, *(f"{figure:.1%}" for figure in figures))
    console.print(
        f"{card['model_version']}, reference of {len(known.right):,} rows, windows of {WINDOW_ROWS}"
    )
    console.print(shown)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    report = {"model_version": card["model_version"], "results": [asdict(result) for result in results]}
    TARGET.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
