"""Error of the accuracy estimate without labels.

Run as `python -m benchmarks.monitoring.performance_estimation [ARTIFACT]`.
Classifies unseen reviews with the artifact, draws windows from them, and compares the drift monitor's
estimate with the true accuracy of each window: on texts like the reference, on a harder mix of them, and on
Rotten Tomatoes, one-line reviews that the model was not trained for. Prints a table and writes
artifacts/bench/performance_estimation.json.
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

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "artifacts" / "bench" / "performance_estimation.json"
IMDB_ROWS, OTHER_ROWS = 3000, 3000
WINDOW_ROWS, WINDOWS = 500, 200
HARD_CONFIDENCE = 0.9  # hard windows contain predictions below this twice as often


@dataclass(frozen=True)
class Predictions:
    """Predictions with known labels."""

    confidence: NDArray[np.float64]
    correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Result:
    """Estimates of many windows and their true accuracy; differences are estimate minus truth."""

    traffic: str
    true_accuracy: float
    estimate: float
    bias: float
    mean_error: float
    isotonic_mean_error: float
    raw_mean_error: float
    covered: float  # share of windows whose true accuracy is in the interval


def predict(classifier: Classifier, texts: list[str], labels: list[int]) -> Predictions:
    """Classify the texts as the API does."""
    predictions = [classifier.compute(text) for text in texts]
    names = classifier.card.labels
    return Predictions(
        np.array([prediction.confidence for prediction in predictions]),
        np.array([p.sentiment == names[label] for p, label in zip(predictions, labels, strict=True)]),
    )


def unseen_reviews(card: dict[str, object], count: int) -> tuple[list[str], list[int]]:
    """Return IMDB reviews that are in none of the artifact's splits."""
    options = {**dict(card["data"]["options"]), "data": "embedded"}  # type: ignore[index]
    parts = prepare(configure(**options))
    known = {text for part in (parts.train, parts.validation, parts.test) for text in part.texts}
    table = read(configure(source="imdb"))
    unseen = [i for i, text in enumerate(table.texts) if text not in known]
    chosen = np.random.default_rng(0).permutation(unseen)[:count]
    return [table.texts[i] for i in chosen], [int(table.labels[i]) for i in chosen]


def rotten_tomatoes(count: int) -> tuple[list[str], list[int]]:
    """Return one-line reviews from Rotten Tomatoes."""
    table = read(configure(source="rotten_tomatoes"))
    chosen = np.random.default_rng(0).permutation(len(table.texts))[:count]
    return [table.texts[i] for i in chosen], [int(table.labels[i]) for i in chosen]


def measure(
    name: str, known: Predictions, traffic: Predictions, weights: NDArray[np.float64] | None = None
) -> Result:
    """Draw windows with those weights per row, and compare estimates with the truth."""
    random = np.random.default_rng(1)
    chances = None if weights is None else weights / weights.sum()
    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(known.confidence, known.correct)
    truths, estimates, isotonic_estimates, raw, covered = [], [], [], [], 0
    for _ in range(WINDOWS):
        drawn = random.choice(len(traffic.correct), WINDOW_ROWS, replace=False, p=chances)
        confidence, truth = traffic.confidence[drawn], float(traffic.correct[drawn].mean())
        estimate = estimate_accuracy(known.confidence, known.correct, confidence)
        truths.append(truth)
        estimates.append(estimate.accuracy)
        isotonic_estimates.append(isotonic.predict(confidence).mean())
        raw.append(confidence.mean())
        covered += estimate.low <= truth <= estimate.high

    def error(values: list[float]) -> float:
        return float(np.abs(np.array(values) - truths).mean())

    bias = float(np.mean(estimates) - np.mean(truths))
    means = (float(np.mean(truths)), float(np.mean(estimates)), bias)
    return Result(name, *means, error(estimates), error(isotonic_estimates), error(raw), covered / WINDOWS)


def main() -> None:
    """Measure, print and write."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "artifacts" / "model"
    console = Console(width=max(110, Console().width))
    classifier = Classifier(load_artifact(folder), threads=2, cache_entries=0)
    card = json.loads((folder / "model.json").read_text())
    table = pq.read_table(folder / "reference.parquet").to_pandas()
    known = Predictions(table["confidence"].to_numpy(), (table["sentiment"] == table["label"]).to_numpy())
    with console.status("Classifying"):
        reviews = predict(classifier, *unseen_reviews(card, IMDB_ROWS))
        others = predict(classifier, *rotten_tomatoes(OTHER_ROWS))
    hard = np.where(reviews.confidence < HARD_CONFIDENCE, 2.0, 1.0)
    with console.status("Estimating"):
        results = [
            measure("reviews like the reference", known, reviews),
            measure("the same, uncertain ones twice as often", known, reviews, hard),
            measure("Rotten Tomatoes, one line each", known, others),
        ]
    shown = Table("windows of", "truth", "estimate", "bias", "error: Platt", "isotonic", "raw", "covered")
    for result in results:
        name, *values = asdict(result).values()
        shown.add_row(name, *(f"{value:.1%}" for value in values))
    console.print(
        f"{card['model_version']}, reference of {len(known.correct):,} rows, windows of {WINDOW_ROWS}"
    )
    console.print(shown)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    report = {"model_version": card["model_version"], "results": [asdict(result) for result in results]}
    TARGET.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
