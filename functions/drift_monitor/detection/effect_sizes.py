"""All that Evidently does for us: the size of a feature's shift, and the report that people open.

Sizes are effects and never p-values, which call any difference drift once the window is large enough. Numbers
are compared by their Wasserstein distance in standard deviations of the reference, categories by the
population stability index (PSI), rates by the Jensen-Shannon distance, and texts by how well a model tells
them apart (ROC AUC), which we add to Evidently's measures. Importing Evidently takes seconds, so that is done
by `load_evidently` when something is first measured, and not while Lambda initializes.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType

import pandas as pd

from functions.drift_monitor.detection.features import Feature, Method

# What each measure gives when nothing moved: a guess is right half of the time.
NO_EFFECT: dict[Method, float] = {
    "psi": 0.0,
    "jensenshannon": 0.0,
    "wasserstein": 0.0,
    "auc": 0.5,
    "difference": 0.0,
}


@cache
def load_evidently() -> ModuleType:
    """Import Evidently, once, and return the module through which it is used."""
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Evidently reports its use to its makers otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Evidently's own imports deprecate is not ours to fix
        from functions.drift_monitor.detection import evidently_adapter
    evidently_adapter.register_auc()
    return evidently_adapter


def measure(reference: pd.DataFrame, current: pd.DataFrame, features: Iterable[Feature]) -> dict[str, float]:
    """Return each feature's effect size by name; both tables hold comparable columns."""
    return {feature.name: _effect(reference, current, feature) for feature in features}


def render(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    *,
    verdicts: Mapping[str, str],
) -> str:
    """Return Evidently's report as one page that needs no network; both tables as for `compare`.

    At its head stands what each verdict says. It holds figures and shares; of the texts only how sure the
    model was of which side they are from.
    """
    return str(load_evidently().render(reference, current, thresholds, verdicts))


def _effect(reference: pd.DataFrame, current: pd.DataFrame, feature: Feature) -> float:
    column = feature.column
    return float(load_evidently().effect(reference[column], current[column], feature))
