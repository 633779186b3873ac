"""How large an effect must be to mean something: larger than chance gives, and large enough to matter.

Chance depends on the sizes of window and reference, so both are drawn again and again from the reference and
compared with each other (a two-sample bootstrap). What matters is a floor: 0.1 for the PSI, below which
nobody calls a population shifted, and Evidently's own 0.1 for the Jensen-Shannon distance; 0.2 standard
deviations, Cohen's small effect, for numbers; 0.6 for the AUC of the texts, which is what a fifth of entirely
foreign texts gives. For the labels 0.05: the custom of 0.1 comes from scores in ten bins, and of two labels
it would ask for 50% to become 66%; half of it are 61%, and labels are what people act upon.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from functions.drift_monitor.detection.domain_classifier import LARGEST_SAMPLE
from functions.drift_monitor.detection.effect_sizes import measure
from functions.drift_monitor.detection.features import Feature, Kind, comparable

FLOORS: dict[Kind, float] = {
    "length": 0.2,
    "number": 0.2,
    "flag": 0.1,
    "category": 0.1,
    "label": 0.05,
    "rate": 0.1,
    "text": 0.6,
}
ROUNDS = 500
# Beyond this chance is below the floors; drawing more would only take longer.
LARGEST_DRAW = 5000
# The AUC of predictions out of five folds spreads more than that of independent ones, 1.3 to 1.4 times on
# disjoint draws of 25,000 reviews (docs/monitoring.md).
AUC_SPREAD = 1.5


def calibrate(
    reference: pd.DataFrame,
    features: Sequence[Feature],
    *,
    rows: int,
    false_alarm_rate: float,
    texts: int | None = None,
) -> dict[Feature, float]:
    """Return a threshold per feature for windows of that many rows, with so many different texts (all).

    Under no shift, the share of windows that see any feature over its threshold is at most the rate, as far
    as the reference stands for the traffic. The same reference and rows give the same thresholds.
    """
    chance = effects_of_chance(reference, features, rows=rows, false_alarm_rate=false_alarm_rate)
    return with_text_threshold(chance, len(reference), texts or rows, false_alarm_rate=false_alarm_rate)


def effects_of_chance(
    reference: pd.DataFrame, features: Sequence[Feature], *, rows: int, false_alarm_rate: float
) -> dict[Feature, float]:
    """Return a threshold per feature as `calibrate` does, but for the text its floor: the slow part of it."""
    # Fitting the text's model 500 times is out of the question: its chance is known in closed form, and it
    # takes the part of one feature from the rate that the others then share.
    drawn = [feature for feature in features if feature.kind != "text"]
    others_rate = false_alarm_rate * len(drawn) / len(features)
    chance = _draw_effects(reference, drawn, rows=rows, false_alarm_rate=others_rate)
    return {feature: max(FLOORS[feature.kind], chance.get(feature.name, 0.0)) for feature in features}


def with_text_threshold(
    thresholds: Mapping[Feature, float], reference_rows: int, texts: int, *, false_alarm_rate: float
) -> dict[Feature, float]:
    """Return the thresholds with the text's raised to what chance gives with that many different texts."""
    chance = auc_of_chance(reference_rows, texts, rate=false_alarm_rate / len(thresholds))
    return {f: max(value, chance) if f.kind == "text" else value for f, value in thresholds.items()}


def auc_of_chance(reference_rows: int, rows: int, *, rate: float) -> float:
    """Return the AUC that texts without a shift exceed at that rate, from Mann and Whitney's variance."""
    one, other = min(reference_rows, LARGEST_SAMPLE), min(rows, LARGEST_SAMPLE)
    deviation = AUC_SPREAD * math.sqrt((one + other + 1) / (12 * one * other))
    return 0.5 + NormalDist().inv_cdf(1 - rate) * deviation


def _draw_effects(
    reference: pd.DataFrame, features: Sequence[Feature], *, rows: int, false_alarm_rate: float
) -> dict[str, float]:
    """Return by name the effect of each feature that chance does not exceed in any at more than the rate."""
    values = comparable(reference, features)
    for feature in features:
        if feature.categorical:  # shares of codes are those of texts, and counted faster
            values[feature.column] = pd.factorize(values[feature.column])[0]
    random = np.random.default_rng(0)
    sizes = min(len(values), LARGEST_DRAW), min(rows, LARGEST_DRAW)

    def draw() -> list[float]:
        one, other = (values.iloc[random.integers(len(values), size=size)] for size in sizes)
        return list(measure(one, other, features).values())

    effects = np.array([draw() for _ in range(ROUNDS)])
    ranked = np.sort(effects, axis=0)
    # The strictest common rank that keeps the joint rate: features are alike (characters, words, tokens), so
    # dividing the rate by their number would ask for too much.
    rank = ROUNDS - 1
    while rank > 0 and (effects > ranked[rank - 1]).any(axis=1).mean() <= false_alarm_rate:
        rank -= 1
    return {feature.name: float(ranked[rank, number]) for number, feature in enumerate(features)}
