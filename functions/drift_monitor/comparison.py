"""The two verdicts on a window: have the inputs drifted, and has what the model says drifted.

They are kept apart because they ask for different things: new inputs may be answered as well as ever, and
answers may shift on inputs that look the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from functions.drift_monitor.evidence import measure, method_of
from functions.drift_monitor.features import Feature, VerdictName, comparable

# A share is blind to a shift that moves one feature alone, such as the mix of sentiments, so a feature with
# this many times its threshold decides by itself. For the PSI that is 0.2, classically "significant".
ALONE = 2.0


@dataclass(frozen=True)
class Shift:
    """How far one feature moved, and between which values."""

    feature: Feature
    effect: float
    threshold: float
    reference: float | dict[str, float]
    current: float | dict[str, float]

    @property
    def strength(self) -> float:
        """Return the effect in units of its threshold; over 1 the feature has drifted."""
        return self.effect / self.threshold

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "feature": self.feature.name,
            "method": method_of(self.feature),
            "effect": round(self.effect, 4),
            "threshold": round(self.threshold, 4),
            "drifted": self.strength > 1,
            "reference": self.reference,
            "current": self.current,
        }


@dataclass(frozen=True)
class Verdict:
    """The features of one side, strongest shift first, and what they come to."""

    name: VerdictName
    shifts: tuple[Shift, ...]
    drift_threshold: float

    @property
    def moved(self) -> tuple[Shift, ...]:
        """Return the shifts over their thresholds."""
        return tuple(shift for shift in self.shifts if shift.strength > 1)

    @property
    def score(self) -> float:
        """Return the share of features that drifted."""
        return len(self.moved) / len(self.shifts)

    @property
    def drifted(self) -> bool:
        """Tell whether the share is over its threshold, or one feature moved so far that it decides."""
        return self.score > self.drift_threshold or self.shifts[0].strength > ALONE

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "drifted": self.drifted,
            "score": round(self.score, 4),
            "features": [shift.figures() for shift in self.shifts],
        }


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    *,
    drift_threshold: float,
) -> tuple[Verdict, ...]:
    """Judge the features that have a threshold; both tables hold features as `tabulate` made them."""
    features = tuple(thresholds)
    effects = measure(comparable(reference, features), comparable(current, features), features)
    shifts = [
        Shift(
            feature,
            effects[feature.name],
            thresholds[feature],
            feature.typical(reference[feature.name]),
            feature.typical(current[feature.name]),
        )
        for feature in features
    ]
    strongest = sorted(shifts, key=lambda shift: shift.strength, reverse=True)
    names = dict.fromkeys(feature.verdict for feature in features)
    return tuple(
        Verdict(name, tuple(shift for shift in strongest if shift.feature.verdict == name), drift_threshold)
        for name in names
    )


def drift_score(verdicts: Sequence[Verdict]) -> float:
    """Return the share of all features that drifted, both verdicts together."""
    return sum(len(verdict.moved) for verdict in verdicts) / sum(len(verdict.shifts) for verdict in verdicts)
