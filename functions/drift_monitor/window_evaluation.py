"""Evaluates a window against the reference: thresholds, self-check, verdicts, performance and phrases.

It reads no database and records nothing; run does both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sentiment.logging import logger

from functions.drift_monitor.detection.domain_classifier import add_domain_scores, count_scored_texts
from functions.drift_monitor.detection.features import Feature, shared_features
from functions.drift_monitor.detection.performance import Performance, disagreement, evaluate_performance
from functions.drift_monitor.detection.phrases import Phrase, typical_phrases
from functions.drift_monitor.detection.reference import Reference, tabulate_logged
from functions.drift_monitor.detection.self_check import check_detection
from functions.drift_monitor.detection.thresholds import calibrate
from functions.drift_monitor.detection.verdicts import Verdict, compare, drift_score, group_verdicts
from functions.drift_monitor.production_data import ProductionData, require_rows
from functions.drift_monitor.settings import SERVICE, DriftMonitorSettings


@dataclass(frozen=True)
class WindowEvaluation:
    """The verdicts on a window, and the tables and thresholds that they are based on."""

    tables: tuple[pd.DataFrame, pd.DataFrame]  # reference and window
    thresholds: Mapping[Feature, float]
    verdicts: tuple[Verdict, ...]
    performance: Performance
    phrases: list[Phrase]

    @property
    def drifted(self) -> dict[str, bool]:
        """Return by verdict whether it is drift."""
        by_features: dict[str, bool] = {verdict.name: verdict.drifted for verdict in self.verdicts}
        return {**by_features, "performance": self.performance.drifted}

    def as_dict(self) -> dict[str, Any]:
        """Return the fields stored in dataset_metrics."""
        return {
            "score": round(drift_score(self.verdicts), 4),
            **{verdict.name: verdict.as_dict() for verdict in self.verdicts},
            "performance": self.performance.as_dict(),
            "phrases": [phrase.as_dict() for phrase in self.phrases],
        }


def evaluate_window(
    reference: Reference, data: ProductionData, settings: DriftMonitorSettings
) -> WindowEvaluation:
    """Compare the window with the reference.

    Raises MonitorError if the self-check fails or the window has too few rows. The self-check comes first, so
    that a broken monitor shows even without traffic.
    """
    card, rows = reference.card, data.rows
    current = tabulate_logged(rows, card.labels) if rows else reference.table.head(0)
    tables = add_domain_scores(reference.table, current)
    features = shared_features(*tables)
    size = max(len(rows), settings.minimum_rows)
    thresholds = calibrate(
        reference.table,
        features,
        rows=size,
        false_alarm_rate=settings.false_alarm_rate,
        texts=count_scored_texts(tables[1]),
    )
    logger(SERVICE).info("calibrated", thresholds={f.name: round(t, 4) for f, t in thresholds.items()})
    check_detection(reference.table, thresholds, rows=size, drift_threshold=settings.drift_threshold)
    require_rows(data.counts, card.model_version, settings)

    performance = evaluate_performance(
        (reference.table["confidence"].to_numpy(), reference.correct),
        current["confidence"].to_numpy(),
        data.labeled,
        minimum_labels=settings.minimum_labels,
        margin=settings.performance_margin,
    )
    verdicts = _verdicts(tables, thresholds, performance, settings)
    drifted = performance.drifted or any(verdict.drifted for verdict in verdicts)
    readable = drifted and all("text" in table for table in tables)
    phrases = typical_phrases(*(table["text"] for table in tables)) if readable else []
    return WindowEvaluation(tables, thresholds, verdicts, performance, phrases)


def _verdicts(
    tables: tuple[pd.DataFrame, pd.DataFrame],
    thresholds: Mapping[Feature, float],
    performance: Performance,
    settings: DriftMonitorSettings,
) -> tuple[Verdict, ...]:
    """Compare the features; with enough labels, disagreement is one more feature of prediction drift."""
    limit = settings.drift_threshold
    verdicts = compare(*tables, thresholds, drift_threshold=limit)
    disagreed = disagreement(performance, false_alarm_rate=settings.false_alarm_rate)
    if disagreed is None:
        return verdicts
    return group_verdicts(
        [*(drift for v in verdicts for drift in v.features), disagreed], drift_threshold=limit
    )
