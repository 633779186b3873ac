"""The verdicts on a window: have the inputs drifted, and has what the model says drifted.

They are kept apart because they ask for different things: new inputs may be answered as well as ever, and
answers may shift on inputs that look the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from functions.drift_monitor.detection.effect_sizes import NO_EFFECT, measure
from functions.drift_monitor.detection.features import Feature, VerdictName, comparable

# A share is blind to a shift that moves one aspect alone, such as the mix of sentiments, so a feature with
# this many times its threshold decides by itself. For a PSI of categories that is 0.15: between the 0.1 that
# is classically "moderate" and the 0.2 that is "significant".
SINGLE_FEATURE_FACTOR = 1.5


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
        """Return the effect in units of its threshold, from no effect at all; over 1 the feature drifted."""
        nothing = NO_EFFECT[self.feature.method]
        return max(0.0, (self.effect - nothing) / (self.threshold - nothing))

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "feature": self.feature.name,
            "method": self.feature.method,
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
        """Return the share of aspects that drifted: texts that got shorter are one cause, not four."""
        return len(_aspects(self.moved)) / len(_aspects(self.shifts))

    @property
    def drifted(self) -> bool:
        """Tell whether the share is over its threshold, or one feature moved so far that it decides."""
        return self.score > self.drift_threshold or self.shifts[0].strength > SINGLE_FEATURE_FACTOR

    @property
    def summary(self) -> str:
        """Say it in a few words."""
        moved, all_ = len(_aspects(self.moved)), len(_aspects(self.shifts))
        return f"{'drift' if self.drifted else 'no drift'}: {moved} of {all_} aspects moved"

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "drifted": self.drifted,
            "score": round(self.score, 4),
            "drift_threshold": self.drift_threshold,
            "features": [shift.figures() for shift in self.shifts],
        }


def compare(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    *,
    drift_threshold: float,
) -> tuple[Verdict, ...]:
    """Judge the features that have a threshold; both tables as `domain.add_domain_scores` returned them."""
    features = tuple(thresholds)
    effects = measure(comparable(reference, features), comparable(current, features), features)
    return judge(
        [
            Shift(
                feature,
                effects[feature.name],
                thresholds[feature],
                feature.typical(reference),
                feature.typical(current),
            )
            for feature in features
        ],
        drift_threshold=drift_threshold,
    )


def judge(shifts: Sequence[Shift], *, drift_threshold: float) -> tuple[Verdict, ...]:
    """Return a verdict for each side that has shifts; more of them than `compare` makes may be given."""
    strongest = sorted(shifts, key=lambda shift: shift.strength, reverse=True)
    names = dict.fromkeys(shift.feature.verdict for shift in shifts)
    return tuple(
        Verdict(name, tuple(shift for shift in strongest if shift.feature.verdict == name), drift_threshold)
        for name in names
    )


def drift_score(verdicts: Sequence[Verdict]) -> float:
    """Return the share of all aspects that drifted. Over any threshold, so is the share of some verdict."""
    moved, all_ = (
        sum(len(_aspects(shifts)) for shifts in sides)
        for sides in zip(*((verdict.moved, verdict.shifts) for verdict in verdicts), strict=True)
    )
    return moved / all_


def _aspects(shifts: Sequence[Shift]) -> set[str]:
    return {shift.feature.aspect for shift in shifts}
