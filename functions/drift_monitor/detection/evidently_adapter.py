"""Evidently as the drift monitor uses it: its measures, the domain classifier's AUC, and its report.

Importing this module imports Evidently, which takes seconds, warns and may send telemetry: only
`effect_sizes.load_evidently` does so.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
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
from sklearn.metrics import roc_auc_score

from functions.drift_monitor.detection.features import Feature, Method, comparable

AUC = StatTest(
    name="auc",
    display_name="Domain classifier ROC AUC",
    allowed_feature_types=[ColumnType.Numerical],
    default_threshold=0.6,
)
TESTS: dict[Method, Any] = {
    "psi": psi_stat_test,
    "jensenshannon": jensenshannon_stat_test,
    "wasserstein": wasserstein_stat_test,
    "auc": AUC,
}


class FeatureTable(DataDriftPreset):
    """Evidently's table of features with our verdicts instead of its own, which follows another rule."""

    verdicts: dict[str, str]

    def __init__(self, verdicts: Mapping[str, str], **options: Any) -> None:
        self.verdicts = dict(verdicts)
        super().__init__(**options)

    def render(self, context: Any, child_widgets: Any = None) -> list[Any]:
        """Return the widgets of the report."""
        ours = counter(counters=[CounterData(name, summary) for name, summary in self.verdicts.items()])
        theirs = super().render(context, child_widgets)
        return [ours, *(widget for widget in theirs if widget.type != ours.type)]


def register_auc() -> None:
    """Register `auc` as a measure for Evidently's reports."""
    register_stattest(AUC, _auc)


def effect(reference: "pd.Series[Any]", current: "pd.Series[Any]", feature: Feature) -> float:
    """Return the effect size of the feature's column by its measure."""
    kind = ColumnType.Categorical if feature.categorical else ColumnType.Numerical
    return float(TESTS[feature.method](reference, current, kind, threshold=None).drift_score)


def render(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Mapping[Feature, float],
    verdicts: Mapping[str, str],
) -> str:
    """Return Evidently's report as one self-contained HTML page."""
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
        warnings.simplefilter("ignore")  # deprecations within Evidently
        snapshot = Report([preset]).run(*datasets)
        page: str = snapshot.get_html_str(as_iframe=False)
    return page


def _auc(
    reference: "pd.Series[float]", current: "pd.Series[float]", _: ColumnType, threshold: float
) -> tuple[float, bool]:
    """Return the area under the ROC curve of domain scores, which are higher for current texts."""
    scores = [column.dropna() for column in (reference, current)]
    domain = np.repeat([0, 1], [len(column) for column in scores])
    area = float(roc_auc_score(domain, pd.concat(scores)))
    return area, area > threshold
