"""How large an effect must be to mean something: larger than chance gives, and large enough to matter.

Chance depends on the sizes of window and reference, so both are drawn again and again from the reference and
compared with each other (a two-sample bootstrap). What matters is the classical floor: 0.1 for the PSI, below
which nobody calls a population shifted, and 0.2 standard deviations, Cohen's small effect, for numbers.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from functions.drift_monitor.evidence import measure
from functions.drift_monitor.features import Feature, comparable

FLOORS = {True: 0.1, False: 0.2}  # by whether the feature is categorical
ROUNDS = 500
# Beyond this chance is below the floors; drawing more would only take longer.
LARGEST_DRAW = 5000


def calibrate(
    reference: pd.DataFrame, features: Sequence[Feature], *, rows: int, false_alarm_rate: float
) -> dict[Feature, float]:
    """Return a threshold per feature for windows of that many rows.

    Under no shift, the share of windows that see any feature over its threshold is at most the rate, as far
    as the reference stands for the traffic. The same reference and rows give the same thresholds.
    """
    values = comparable(reference, features)
    for feature in features:
        if feature.categorical:  # PSI counts codes as well as texts, and faster
            values[feature.column] = pd.factorize(values[feature.column])[0]
    random = np.random.default_rng(0)
    sizes = min(len(values), LARGEST_DRAW), min(rows, LARGEST_DRAW)

    def effects_of_chance() -> list[float]:
        one, other = (values.iloc[random.integers(len(values), size=size)] for size in sizes)
        return list(measure(one, other, features).values())

    effects = np.array([effects_of_chance() for _ in range(ROUNDS)])
    ranked = np.sort(effects, axis=0)
    # The strictest common rank that keeps the joint rate: features are alike (characters, words, tokens), so
    # dividing the rate by their number would ask for too much.
    rank = ROUNDS - 1
    while rank > 0 and (effects > ranked[rank - 1]).any(axis=1).mean() <= false_alarm_rate:
        rank -= 1
    return {
        feature: max(FLOORS[feature.categorical], float(ranked[rank, number]))
        for number, feature in enumerate(features)
    }
