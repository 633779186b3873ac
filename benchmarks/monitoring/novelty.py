"""How well novelty separates out-of-distribution texts from familiar ones.

Run as `python -m benchmarks.monitoring.novelty [ARTIFACT]`. Texts of each shift of `local.drift_lab.shifts`
go through the served graph, and several distances from the validation rows rank them against held-out rows:
the area under the ROC curve is the probability that a shifted text is further away than a familiar one. The
artifact must be that of `sentiment train --quick`, whose rows are read again here. Prints a table and writes
artifacts/bench/novelty.json.
"""

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer

from local.drift_lab.shifts import SHIFTS
from local.reviews import Review
from training.config import configure
from training.data.prepare import prepare
from training.data.rows import Dataset
from training.export.novelty import DIRECTIONS, fit_novelty
from training.export.scorer import Scorer
from training.text import encode_batch

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "artifacts" / "bench" / "novelty.json"
ROWS = 500  # of each shift
Floats = NDArray[np.floating[Any]]
Distance = Callable[[Floats], Floats]


def distances(pooled: Floats, truth: NDArray[np.intp], labels: list[str]) -> dict[str, Distance]:
    """Return distance functions from these rows, each from (texts, width) to (texts,)."""
    centroids = np.stack([pooled[truth == label].mean(axis=0) for label in range(len(labels))])
    full = LedoitWolf(assume_centered=True).fit(pooled - centroids[truth]).precision_

    def nearest(distance: Callable[[Floats, Floats], Floats]) -> Distance:
        return lambda texts: np.min([distance(texts, centroid) for centroid in centroids], axis=0)

    def cosine(texts: Floats, centroid: Floats) -> Floats:
        lengths = np.linalg.norm(texts, axis=1) * np.linalg.norm(centroid)
        distance: Floats = 1 - (texts @ centroid) / lengths
        return distance

    def mahalanobis(texts: Floats, centroid: Floats) -> Floats:
        away = texts - centroid
        squares: Floats = ((away @ full) * away).sum(axis=1) / len(full)
        return np.sqrt(squares)

    found: dict[str, Distance] = {
        "Euclid": nearest(lambda texts, centroid: np.linalg.norm(texts - centroid, axis=1)),
        "cosine": nearest(cosine),
    }
    for directions in (0, 2, 4, 8, DIRECTIONS, 32):
        measure = fit_novelty(pooled.astype(np.float32), truth, labels, directions=directions)
        if measure is None:
            raise SystemExit("the validation rows do not allow a measure of novelty")
        found[f"diagonal + {directions} directions" if directions else "diagonal"] = measure.of
    return found | {"full covariance, shrunk": nearest(mahalanobis)}


def read_rows(card: dict[str, Any]) -> Dataset:
    """Read the rows that the artifact was trained on."""
    data = prepare(configure(quick=True))
    if data.fingerprint != card["data"]["fingerprint"]:
        raise SystemExit("the artifact was trained on other rows than `sentiment train --quick` reads")
    return data


def main() -> None:
    """Measure, print and write."""
    artifact = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "artifacts" / "model"
    console = Console(width=max(110, Console().width))
    card = json.loads((artifact / "model.json").read_text())
    data = read_rows(card)
    scorer = Scorer(artifact / "model.onnx")
    tokenizer = Tokenizer.from_file(str(artifact / "tokenizer.json"))

    def pooled(texts: Sequence[str]) -> Floats:
        outputs = scorer.scores(encode_batch(tokenizer, texts, card["max_length"], card["truncation"])).pooled
        if outputs is None:
            raise SystemExit(f"{artifact} has no pooled output; export it again")
        return outputs.astype(np.float64)

    pool = [
        Review(text, data.labels[label])
        for text, label in zip(data.test.texts, data.test.labels, strict=True)
    ]
    with console.status("Reading texts"):
        measures = distances(pooled(data.validation.texts), np.array(data.validation.labels), data.labels)
        familiar = pooled(data.test.texts)
        shifted = {
            name: pooled([review.text for review in shift.window(pool, ROWS, random.Random(0))])
            for name, shift in SHIFTS.items()
        }
    table = Table("distance", *[name.replace("_", " ") for name in SHIFTS], title="AUC against held-out rows")
    aurocs: dict[str, dict[str, float]] = {}
    for name, measure in measures.items():
        known = measure(familiar)
        aurocs[name] = {
            shift: roc_auc_score([0] * len(known) + [1] * ROWS, np.concatenate([known, measure(foreign)]))
            for shift, foreign in shifted.items()
        }
        table.add_row(name, *[f"{area:.3f}" for area in aurocs[name].values()])
    console.print(table)
    served = measures[f"diagonal + {DIRECTIONS} directions"]
    for name, texts in {"held-out rows": familiar, **shifted}.items():
        quarters = ", ".join(f"{quartile:.2f}" for quartile in np.percentile(served(texts), [25, 50, 75, 99]))
        console.print(f"novelty of {name.replace('_', ' ')}: quartiles and 99th percentile {quarters}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(aurocs, indent=2) + "\n")


if __name__ == "__main__":
    main()
