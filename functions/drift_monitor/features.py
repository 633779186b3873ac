"""What is compared, and in which units: a table of features, made alike from logged rows and reference.

Lengths are compared on a logarithmic scale: they differ by factors, and a single pasted book must not be
drift. The texts themselves end here; only the number of their words goes on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

VerdictName = Literal["data_drift", "prediction_drift"]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One figure of every prediction. The inputs speak for data drift, what the model says for the other."""

    name: str
    verdict: VerdictName
    kind: Literal["length", "number", "flag", "category"]

    @property
    def categorical(self) -> bool:
        """Tell whether its values have no order."""
        return self.kind in ("flag", "category")

    @property
    def column(self) -> str:
        """Return the name its comparable values go by, in the report too."""
        return f"{self.name} (log10)" if self.kind == "length" else self.name

    def comparable(self, values: "pd.Series[Any]") -> "pd.Series[Any]":
        """Return the values on the scale they are compared on."""
        match self.kind:
            case "length":
                return pd.Series(np.log10(values.clip(lower=1)))
            case "flag":
                return values.map({True: "yes", False: "no"})
            case _:
                return values

    def typical(self, values: "pd.Series[Any]") -> float | dict[str, float]:
        """Return what stands for all values when people read it: median, mean, share, or share by label."""
        match self.kind:
            case "length":
                return float(values.median())
            case "category":
                shares = values.value_counts(normalize=True).sort_index()
                return {str(value): round(float(share), 4) for value, share in shares.items()}
            case _:
                return round(float(values.mean()), 4)


FEATURES = (
    Feature(name="characters", verdict="data_drift", kind="length"),
    Feature(name="words", verdict="data_drift", kind="length"),
    Feature(name="tokens", verdict="data_drift", kind="length"),
    Feature(name="truncated", verdict="data_drift", kind="flag"),
    Feature(name="sentiment", verdict="prediction_drift", kind="category"),
    Feature(name="confidence", verdict="prediction_drift", kind="number"),
    Feature(name="entropy", verdict="prediction_drift", kind="number"),
)


def tabulate(columns: Mapping[str, Sequence[Any]], probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """Return one column per feature; `probabilities` is (rows, labels).

    Words are left out as soon as one text is not stored: the others would not stand for all.
    """
    table = {name: columns[name] for name in ("characters", "tokens", "truncated", "sentiment", "confidence")}
    if all(text is not None for text in columns["text"]):
        table["words"] = [len(text.split()) for text in columns["text"]]
    return pd.DataFrame({**table, "entropy": entropy(probabilities)})


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how undecided each row is, from 0 (sure of one label) to 1 (all alike)."""
    safe = np.clip(probabilities, 1e-12, 1.0)
    undecided: NDArray[np.float64] = -(safe * np.log(safe)).sum(axis=1) / np.log(safe.shape[1])
    return undecided


def comparable(table: pd.DataFrame, features: Iterable[Feature]) -> pd.DataFrame:
    """Return the features' columns on the scale they are compared on."""
    return pd.DataFrame({feature.column: feature.comparable(table[feature.name]) for feature in features})


def shared_features(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[Feature, ...]:
    """Return the features that both tables hold."""
    return tuple(f for f in FEATURES if f.name in reference.columns and f.name in current.columns)
