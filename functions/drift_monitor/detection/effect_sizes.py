"""Effect sizes and the drift report, both by Evidently.

Effect sizes, never p-values: in a large enough window any difference is significant. Numbers are compared by
the Wasserstein distance in standard deviations of the reference, categories by the population stability index
(PSI), rates by the Jensen-Shannon distance, and texts by the ROC AUC of the domain classifier, which is added
to Evidently's measures. Importing Evidently takes seconds, so `load_evidently` does it on first use and not
while Lambda initializes.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType

import pandas as pd

from functions.drift_monitor.detection.features import Feature, Method

# What each measure gives without any drift. The AUC of a random guess is 0.5.
NO_EFFECT: dict[Method, float] = {
    "psi": 0.0,
    "jensenshannon": 0.0,
    "wasserstein": 0.0,
    "auc": 0.5,
    "difference": 0.0,
}


@cache
def load_evidently() -> ModuleType:
    """Import Evidently once and return the adapter module."""
    os.environ.setdefault("DO_NOT_TRACK", "1")  # otherwise Evidently sends telemetry
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations within Evidently
        from functions.drift_monitor.detection import evidently_adapter
    evidently_adapter.register_auc()
    return evidently_adapter


def measure(reference: pd.DataFrame, current: pd.DataFrame, features: Iterable[Feature]) -> dict[str, float]:
    """Return each feature's effect size by name; the columns of both tables are `comparable`."""
    return {feature.name: _effect(reference, current, feature) for feature in features}


def render(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    *,
    verdicts: Mapping[str, str],
) -> str:
    """Return Evidently's report as one self-contained HTML page; both tables as for `compare`.

    `verdicts` are shown at the top, summaries by name. Of the texts it holds only domain scores.
    """
    return str(load_evidently().render(reference, current, thresholds, verdicts))


def _effect(reference: pd.DataFrame, current: pd.DataFrame, feature: Feature) -> float:
    column = feature.column
    return float(load_evidently().effect(reference[column], current[column], feature))
