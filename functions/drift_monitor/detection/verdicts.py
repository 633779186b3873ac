"""The verdicts on a window: have the inputs drifted (data drift), and has the output (prediction drift).

They are separate because they call for different action: the model may handle new inputs well, and its output
may shift on inputs that look the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from functions.drift_monitor.detection.effect_sizes import NO_EFFECT, measure
from functions.drift_monitor.detection.features import Feature, VerdictName, comparable

# A share of aspects misses a shift in a single aspect, such as the label mix, so one feature at this many
# times its threshold is enough. For a PSI of categories that is 0.15: between the 0.1 that is commonly
# "moderate" and the 0.2 that is "significant".
SINGLE_FEATURE_FACTOR = 1.5


@dataclass(frozen=True)
class FeatureDrift:
    """How far one feature drifted, and its values in reference and window."""

    feature: Feature
    effect: float
    threshold: float
    reference: float | dict[str, float]
    current: float | dict[str, float]

    @property
    def strength(self) -> float:
        """Return the effect in units of the threshold, where 0 is no effect."""
        none = NO_EFFECT[self.feature.method]
        return max(0.0, (self.effect - none) / (self.threshold - none))

    @property
    def drifted(self) -> bool:
        """Return whether the effect exceeds its threshold."""
        return self.strength > 1

    def as_dict(self) -> dict[str, Any]:
        """Return the fields stored in dataset_metrics."""
        return {
            "feature": self.feature.name,
            "method": self.feature.method,
            "effect": round(self.effect, 4),
            "threshold": round(self.threshold, 4),
            "drifted": self.drifted,
            "reference": self.reference,
            "current": self.current,
        }


@dataclass(frozen=True)
class Verdict:
    """The features of inputs or output, strongest drift first, and whether they add up to drift."""

    name: VerdictName
    features: tuple[FeatureDrift, ...]
    drift_threshold: float

    @property
    def drifted_features(self) -> tuple[FeatureDrift, ...]:
        """Return the features over their thresholds."""
        return tuple(drift for drift in self.features if drift.drifted)

    @property
    def score(self) -> float:
        """Return the share of aspects that drifted: shorter texts are one cause, not four."""
        return len(_aspects(self.drifted_features)) / len(_aspects(self.features))

    @property
    def drifted(self) -> bool:
        """Return whether the share exceeds its threshold, or a single feature drifted far enough."""
        return self.score > self.drift_threshold or self.features[0].strength > SINGLE_FEATURE_FACTOR

    @property
    def summary(self) -> str:
        """Describe the verdict in a few words."""
        drifted, total = len(_aspects(self.drifted_features)), len(_aspects(self.features))
        return f"{'drift' if self.drifted else 'no drift'}: {drifted} of {total} aspects drifted"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields stored in dataset_metrics."""
        return {
            "drifted": self.drifted,
            "score": round(self.score, 4),
            "drift_threshold": self.drift_threshold,
            "features": [drift.as_dict() for drift in self.features],
        }


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    *,
    drift_threshold: float,
) -> tuple[Verdict, ...]:
    """Compare the features that have a threshold; both tables as `add_domain_scores` returned them."""
    features = tuple(thresholds)
    effects = measure(comparable(reference, features), comparable(current, features), features)
    return group_verdicts(
        [
            FeatureDrift(
                feature,
                effects[feature.name],
                thresholds[feature],
                feature.summary(reference),
                feature.summary(current),
            )
            for feature in features
        ],
        drift_threshold=drift_threshold,
    )


def group_verdicts(drifts: Sequence[FeatureDrift], *, drift_threshold: float) -> tuple[Verdict, ...]:
    """Return a verdict for each kind that has features; they need not all come from `compare`."""
    strongest = sorted(drifts, key=lambda drift: drift.strength, reverse=True)
    names = dict.fromkeys(drift.feature.verdict for drift in drifts)
    return tuple(
        Verdict(name, tuple(drift for drift in strongest if drift.feature.verdict == name), drift_threshold)
        for name in names
    )


def drift_score(verdicts: Sequence[Verdict]) -> float:
    """Return the share of all aspects that drifted.

    If it exceeds a threshold, the score of at least one verdict does, too.
    """
    drifted = sum(len(_aspects(verdict.drifted_features)) for verdict in verdicts)
    return drifted / sum(len(_aspects(verdict.features)) for verdict in verdicts)


def _aspects(drifts: Sequence[FeatureDrift]) -> set[str]:
    return {drift.feature.aspect for drift in drifts}
