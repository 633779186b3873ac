"""The features that are compared, and a table of them, built the same way from logged rows and the reference.

Lengths are compared on a logarithmic scale, because they differ by factors and a single pasted book must not
count as drift. Texts stay in the table for the domain classifier, which turns them into scores; no report and
no record holds them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from functions.drift_monitor.detection.language import detect_languages

VerdictName = Literal["data_drift", "prediction_drift"]
Kind = Literal["length", "number", "flag", "category", "label", "rate", "text", "agreement"]
Method = Literal["wasserstein", "psi", "jensenshannon", "auc", "difference"]

TEXT_SCORE = "text (domain score)"
# Jensen-Shannon for rates: few references have unknown pieces, and for a bin that is empty in the reference,
# the PSI mostly measures the constant that replaces zero.
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
    """One value of every prediction. Inputs belong to data drift, output to prediction drift.

    Features of one `aspect` drift together and share one vote.
    """

    name: str
    verdict: VerdictName
    aspect: Literal["length", "language", "content", "answer", "certainty", "labels"]
    kind: Kind

    @property
    def categorical(self) -> bool:
        """Return whether the shares of its values are compared."""
        return self.method in ("psi", "jensenshannon")

    @property
    def method(self) -> Method:
        """Return Evidently's name of its measure."""
        return METHODS[self.kind]

    @property
    def source(self) -> str:
        """Return the table's column that holds it."""
        return TEXT_SCORE if self.kind == "text" else self.name

    @property
    def column(self) -> str:
        """Return the name of its comparable values, also in the report."""
        return f"{self.name} (log10)" if self.kind == "length" else self.source

    def comparable(self, table: pd.DataFrame) -> "pd.Series[Any]":
        """Return the table's values on the scale of comparison."""
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

    def summary(self, table: pd.DataFrame) -> float | dict[str, float]:
        """Return a readable summary of all values: median, mean, share, or share by label."""
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

    A column that any row lacks (text, unknown tokens, novelty) is left out, because the other rows do not
    represent it.
    """

    def complete(name: str) -> bool:
        return name in columns and all(value is not None for value in columns[name])

    table: dict[str, Any] = {name: columns[name] for name in ALWAYS}
    if complete("text"):
        table["text"] = columns["text"]
        table["words"] = [len(text.split()) for text in columns["text"]]
        table["language"] = detect_languages(columns["text"])
    if complete("unknown_tokens"):
        table["unknown_pieces"] = np.divide(columns["unknown_tokens"], columns["tokens"])
    if complete("novelty"):
        table["novelty"] = np.asarray(columns["novelty"], dtype=float)
    return pd.DataFrame({**table, "entropy": entropy(probabilities)})


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each row's normalized entropy, from 0 (certain) to 1 (all labels equally likely)."""
    safe = np.clip(probabilities, 1e-12, 1.0)
    normalized: NDArray[np.float64] = -(safe * np.log(safe)).sum(axis=1) / np.log(safe.shape[1])
    return normalized


def comparable(table: pd.DataFrame, features: Iterable[Feature]) -> pd.DataFrame:
    """Return the features' columns on the scale of comparison."""
    return pd.DataFrame({feature.column: feature.comparable(table) for feature in features})


def shared_features(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[Feature, ...]:
    """Return the features that both tables hold; the text needs `add_domain_scores` first."""
    return tuple(f for f in FEATURES if f.source in reference.columns and f.source in current.columns)
