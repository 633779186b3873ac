"""All that Evidently does for us: the size of a feature's shift, and the report that people open.

Sizes are effects and never p-values, which call any difference drift once the window is large enough. Numbers
are compared by their Wasserstein distance in standard deviations of the reference, categories by the
population stability index (PSI). Importing this module takes seconds, so the handler does it on its first run
and not while Lambda initialises.
"""

import os
import warnings
from collections.abc import Iterable, Mapping

import pandas as pd

from functions.drift_monitor.features import Feature, comparable

os.environ.setdefault("DO_NOT_TRACK", "1")  # Evidently reports its use to its makers otherwise
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Evidently's own imports deprecate is not ours to mend
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests import psi_stat_test, wasserstein_stat_test
    from evidently.legacy.core import ColumnType
    from evidently.presets import DataDriftPreset


def method_of(feature: Feature) -> str:
    """Return what Evidently calls the feature's measure."""
    return "psi" if feature.categorical else "wasserstein"


def measure(reference: pd.DataFrame, current: pd.DataFrame, features: Iterable[Feature]) -> dict[str, float]:
    """Return each feature's effect size by name; both tables hold comparable columns."""
    return {feature.name: _effect(reference, current, feature) for feature in features}


def render(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    *,
    drift_threshold: float,
) -> str:
    """Return Evidently's report as one page that needs no network; both tables as `tabulate` made them."""
    features = tuple(thresholds)
    definition = DataDefinition(
        numerical_columns=[f.column for f in features if not f.categorical],
        categorical_columns=[f.column for f in features if f.categorical],
    )
    preset = DataDriftPreset(
        columns=[f.column for f in features],
        drift_share=drift_threshold,
        per_column_method={f.column: method_of(f) for f in features},
        per_column_threshold={f.column: threshold for f, threshold in thresholds.items()},
        include_tests=False,
    )
    tables = (comparable(table, features) for table in (current, reference))
    datasets = [Dataset.from_pandas(table, definition) for table in tables]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        snapshot = Report([preset]).run(*datasets)
        page: str = snapshot.get_html_str(as_iframe=False)
    return page


def _effect(reference: pd.DataFrame, current: pd.DataFrame, feature: Feature) -> float:
    test = psi_stat_test if feature.categorical else wasserstein_stat_test
    kind = ColumnType.Categorical if feature.categorical else ColumnType.Numerical
    column = feature.column
    return float(test(reference[column], current[column], kind, threshold=None).drift_score)
