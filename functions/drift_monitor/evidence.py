"""All that Evidently does for us: the size of a feature's shift, and the report that people open.

Sizes are effects and never p-values, which call any difference drift once the window is large enough. Numbers
are compared by their Wasserstein distance in standard deviations of the reference, categories by the
population stability index (PSI), rates by the Jensen-Shannon distance, and texts by how well a model tells
them apart (ROC AUC), which we add to Evidently's measures. Importing this module takes seconds, so the
handler does it on its first run and not while Lambda initialises.
"""

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from functions.drift_monitor.features import Feature, Method, comparable

os.environ.setdefault("DO_NOT_TRACK", "1")  # Evidently reports its use to its makers otherwise
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what Evidently's own imports deprecate is not ours to mend
    from evidently import DataDefinition, Dataset, Report
    from evidently.legacy.calculations.stattests import (
        StatTest,
        jensenshannon_stat_test,
        psi_stat_test,
        register_stattest,
        wasserstein_stat_test,
    )
    from evidently.legacy.core import ColumnType
    from evidently.legacy.renderers.html_widgets import CounterData, counter
    from evidently.presets import DataDriftPreset

# What each measure gives when nothing moved: a guess is right half of the time.
NO_EFFECT: dict[Method, float] = {
    "psi": 0.0,
    "jensenshannon": 0.0,
    "wasserstein": 0.0,
    "auc": 0.5,
    "difference": 0.0,
}


def _auc(
    reference: "pd.Series[float]", current: "pd.Series[float]", _: ColumnType, threshold: float
) -> tuple[float, bool]:
    """Return the area under the ROC curve of scores that are higher for what is taken as current."""
    scores = [column.dropna() for column in (reference, current)]
    side = np.repeat([0, 1], [len(column) for column in scores])
    area = float(roc_auc_score(side, pd.concat(scores)))
    return area, area > threshold


_auc_test = StatTest(
    name="auc",
    display_name="ROC AUC of telling the texts apart",
    allowed_feature_types=[ColumnType.Numerical],
    default_threshold=0.6,
)
register_stattest(_auc_test, _auc)
TESTS: dict[Method, Any] = {
    "psi": psi_stat_test,
    "jensenshannon": jensenshannon_stat_test,
    "wasserstein": wasserstein_stat_test,
    "auc": _auc_test,
}


class FeatureTable(DataDriftPreset):
    """Evidently's table of features under our verdicts: its own, by a share of columns, may contradict."""

    verdicts: dict[str, str]

    def __init__(self, verdicts: Mapping[str, str], **options: Any) -> None:
        self.verdicts = dict(verdicts)
        super().__init__(**options)

    def render(self, context: Any, child_widgets: Any = None) -> list[Any]:
        """Return the widgets of the page."""
        ours = counter(counters=[CounterData(name, said) for name, said in self.verdicts.items()])
        theirs = super().render(context, child_widgets)
        return [ours, *(widget for widget in theirs if widget.type != ours.type)]


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
    features = tuple(thresholds)
    definition = DataDefinition(
        numerical_columns=[f.column for f in features if not f.categorical],
        categorical_columns=[f.column for f in features if f.categorical],
    )
    preset = FeatureTable(
        verdicts,
        columns=[f.column for f in features],
        per_column_method={f.column: f.method for f in features},
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
    kind = ColumnType.Categorical if feature.categorical else ColumnType.Numerical
    column = feature.column
    test = TESTS[feature.method]
    return float(test(reference[column], current[column], kind, threshold=None).drift_score)
