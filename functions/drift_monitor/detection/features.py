"""What is compared, and in which units: a table of features, made alike from logged rows and reference.

Lengths are compared on a logarithmic scale: they differ by factors, and a single pasted book must not be
drift. Texts stay in the table for `domain`, which turns them into scores; no report and no record holds them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from functions.drift_monitor.detection.language import guess_languages

VerdictName = Literal["data_drift", "prediction_drift"]
Kind = Literal["length", "number", "flag", "category", "label", "rate", "text", "agreement"]
Method = Literal["wasserstein", "psi", "jensenshannon", "auc", "difference"]

TEXT_SCORE = "text (taken for the window's)"
# Jensen-Shannon for rates: hardly any reference has unknown pieces, and of a bin that is empty there the PSI
# measures mostly what stands in for zero.
METHODS: dict[Kind, Method] = {
    "length": "wasserstein",
    "number": "wasserstein",
    "flag": "psi",
    "category": "psi",
    "label": "psi",
    "rate": "jensenshannon",
    "text": "auc",
    "agreement": "difference",
}
RATE_BINS = {"none": 0.0, "up to 1%": 0.01, "up to 10%": 0.1, "more": np.inf}  # upper bounds, inclusive


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One figure of every prediction. The inputs speak for data drift, what the model says for the other.

    `aspect` is what it tells of: features of one aspect move together and have one vote together.
    """

    name: str
    verdict: VerdictName
    aspect: Literal["length", "language", "content", "answer", "certainty", "labels"]
    kind: Kind

    @property
    def categorical(self) -> bool:
        """Tell whether it is compared by the shares of its values."""
        return self.method in ("psi", "jensenshannon")

    @property
    def method(self) -> Method:
        """Return what Evidently calls its measure."""
        return METHODS[self.kind]

    @property
    def source(self) -> str:
        """Return the column of a table that holds it."""
        return TEXT_SCORE if self.kind == "text" else self.name

    @property
    def column(self) -> str:
        """Return the name its comparable values go by, in the report too."""
        return f"{self.name} (log10)" if self.kind == "length" else self.source

    def comparable(self, table: pd.DataFrame) -> "pd.Series[Any]":
        """Return the table's values on the scale they are compared on."""
        values = table[self.source]
        match self.kind:
            case "length":
                return pd.Series(np.log10(values.clip(lower=1)))
            case "flag":
                return values.map({True: "yes", False: "no"})
            case "rate":
                bins = [-np.inf, *RATE_BINS.values()]
                return pd.cut(values, bins, labels=list(RATE_BINS)).astype(object)
            case _:
                return values

    def typical(self, table: pd.DataFrame) -> float | dict[str, float]:
        """Return what stands for all values when people read it: median, mean, share, or share by label."""
        values = table[self.source]
        match self.kind:
            case "length":
                return float(values.median())
            case "category" | "label":
                shares = values.value_counts(normalize=True).sort_index()
                return {str(value): round(float(share), 4) for value, share in shares.items()}
            case _:
                return round(float(values.mean()), 4)


FEATURES = (
    Feature(name="characters", verdict="data_drift", aspect="length", kind="length"),
    Feature(name="words", verdict="data_drift", aspect="length", kind="length"),
    Feature(name="tokens", verdict="data_drift", aspect="length", kind="length"),
    Feature(name="truncated", verdict="data_drift", aspect="length", kind="flag"),
    Feature(name="language", verdict="data_drift", aspect="language", kind="category"),
    Feature(name="unknown_pieces", verdict="data_drift", aspect="language", kind="rate"),
    Feature(name="text", verdict="data_drift", aspect="content", kind="text"),
    Feature(name="novelty", verdict="data_drift", aspect="content", kind="number"),
    Feature(name="sentiment", verdict="prediction_drift", aspect="answer", kind="label"),
    Feature(name="confidence", verdict="prediction_drift", aspect="certainty", kind="number"),
    Feature(name="entropy", verdict="prediction_drift", aspect="certainty", kind="number"),
)
ALWAYS = ("characters", "tokens", "truncated", "sentiment", "confidence")


def tabulate(columns: Mapping[str, Sequence[Any]], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """Return a column for each feature, and the texts; `probabilities` is (rows, labels).

    What one row lacks (text, unknown tokens, novelty) is left out of all: the others do not stand for it.
    """

    def whole(name: str) -> bool:
        return name in columns and all(value is not None for value in columns[name])

    table: dict[str, Any] = {name: columns[name] for name in ALWAYS}
    if whole("text"):
        table["text"] = columns["text"]
        table["words"] = [len(text.split()) for text in columns["text"]]
        table["language"] = guess_languages(columns["text"])
    if whole("unknown_tokens"):
        table["unknown_pieces"] = np.divide(columns["unknown_tokens"], columns["tokens"])
    if whole("novelty"):
        table["novelty"] = np.asarray(columns["novelty"], dtype=float)
    return pd.DataFrame({**table, "entropy": entropy(probabilities)})


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how undecided each row is, from 0 (sure of one label) to 1 (all alike)."""
    safe = np.clip(probabilities, 1e-12, 1.0)
    undecided: NDArray[np.float64] = -(safe * np.log(safe)).sum(axis=1) / np.log(safe.shape[1])
    return undecided


def comparable(table: pd.DataFrame, features: Iterable[Feature]) -> pd.DataFrame:
    """Return the features' columns on the scale they are compared on."""
    return pd.DataFrame({feature.column: feature.comparable(table) for feature in features})


def shared_features(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[Feature, ...]:
    """Return the features that both tables hold; the text needs `domain.add_domain_scores` first."""
    return tuple(f for f in FEATURES if f.source in reference.columns and f.source in current.columns)
