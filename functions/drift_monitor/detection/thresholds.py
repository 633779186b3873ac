"""Thresholds of effect sizes: larger than chance gives, and large enough to matter.

Chance depends on the sizes of window and reference, so both are drawn repeatedly from the reference and
compared (a two-sample bootstrap). What matters is a floor: 0.1 for the PSI, below which a population counts
as stable, and Evidently's default of 0.1 for the Jensen-Shannon distance; 0.2 standard deviations, Cohen's
small effect, for numbers; 0.6 for the AUC of the texts, which is what a fifth of entirely foreign texts
gives. For the labels it is 0.05: the usual 0.1 is for scores in ten bins and would require a share of 50% to
become 66%, where 0.05 requires 61%.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from functions.drift_monitor.detection.domain_classifier import SAMPLE_TEXTS
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
BOOTSTRAP_ROUNDS = 500
# Rows; for larger samples chance is below the floors.
MAX_DRAW = 5000
# The AUC over five folds varies more than that of independent predictions, 1.3 to 1.4 times on disjoint draws
# of 25,000 reviews (docs/monitoring.md).
AUC_SPREAD = 1.5


def calibrate(
    reference: pd.DataFrame,
    features: Sequence[Feature],
    *,
    rows: int,
    false_alarm_rate: float,
    texts: int | None = None,
) -> dict[Feature, float]:
    """Return a threshold per feature for windows of `rows` rows, `texts` of them distinct (default: all).

    Without a shift, the share of windows with any feature over its threshold is at most the rate, as far as
    the reference represents the traffic. The same reference and rows give the same thresholds.
    """
    thresholds = bootstrap_thresholds(reference, features, rows=rows, false_alarm_rate=false_alarm_rate)
    return with_text_threshold(thresholds, len(reference), texts or rows, false_alarm_rate=false_alarm_rate)


def bootstrap_thresholds(
    reference: pd.DataFrame, features: Sequence[Feature], *, rows: int, false_alarm_rate: float
) -> dict[Feature, float]:
    """Return the thresholds of `calibrate`, with only its floor for the text; this is the slow part."""
    # Training the domain classifier 500 times would take too long. The distribution of its AUC is known in
    # closed form; it uses one feature's part of the rate, and the others share the rest.
    drawn = [feature for feature in features if feature.kind != "text"]
    others_rate = false_alarm_rate * len(drawn) / len(features)
    chance = _draw_effects(reference, drawn, rows=rows, false_alarm_rate=others_rate)
    return {feature: max(FLOORS[feature.kind], chance.get(feature.name, 0.0)) for feature in features}


def with_text_threshold(
    thresholds: Mapping[Feature, float], reference_rows: int, texts: int, *, false_alarm_rate: float
) -> dict[Feature, float]:
    """Return the thresholds with the text's raised to what chance gives for that many distinct texts."""
    chance = null_auc_quantile(reference_rows, texts, rate=false_alarm_rate / len(thresholds))
    return {f: max(value, chance) if f.kind == "text" else value for f, value in thresholds.items()}


def null_auc_quantile(reference_rows: int, rows: int, *, rate: float) -> float:
    """Return the AUC that texts without a shift exceed at that rate, by the variance of Mann and Whitney."""
    one, other = min(reference_rows, SAMPLE_TEXTS), min(rows, SAMPLE_TEXTS)
    deviation = AUC_SPREAD * math.sqrt((one + other + 1) / (12 * one * other))
    return 0.5 + NormalDist().inv_cdf(1 - rate) * deviation


def _draw_effects(
    reference: pd.DataFrame, features: Sequence[Feature], *, rows: int, false_alarm_rate: float
) -> dict[str, float]:
    """Return by name effects that chance exceeds in any feature at no more than the rate."""
    values = comparable(reference, features)
    for feature in features:
        if feature.categorical:  # codes have the same shares as texts and are counted faster
            values[feature.column] = pd.factorize(values[feature.column])[0]
    random = np.random.default_rng(0)
    sizes = min(len(values), MAX_DRAW), min(rows, MAX_DRAW)

    def draw() -> list[float]:
        one, other = (values.iloc[random.integers(len(values), size=size)] for size in sizes)
        return list(measure(one, other, features).values())

    effects = np.array([draw() for _ in range(BOOTSTRAP_ROUNDS)])
    ranked = np.sort(effects, axis=0)
    # The lowest common rank that keeps the joint rate. Features correlate (characters, words, tokens), so
    # dividing the rate by their number would be too strict.
    rank = BOOTSTRAP_ROUNDS - 1
    while rank > 0 and (effects > ranked[rank - 1]).any(axis=1).mean() <= false_alarm_rate:
        rank -= 1
    return {feature.name: float(ranked[rank, number]) for number, feature in enumerate(features)}
