"""One run: read reference and window, check the monitor itself, compare, record, and say what was found.

Raises MonitorError when it cannot judge. People are told by the handler, in the one way for both outcomes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pandas as pd
from sentiment.database.history import WINDOW_DATASET, WINDOW_SPLIT
from sentiment.database.models import MonitoringAlert
from sentiment.database.repositories import record_dataset_metrics
from sentiment.database.session import transaction
from sentiment.logging import logger
from sqlalchemy import Engine

from functions.drift_monitor.alerting.alerts import Finding
from functions.drift_monitor.alerting.drift_alerts import (
    AlertContext,
    RunContext,
    drift_finding,
    performance_finding,
)
from functions.drift_monitor.alerting.failures import failure_finding, unforeseen
from functions.drift_monitor.detection.domain_classifier import add_domain_scores, count_told_apart
from functions.drift_monitor.detection.effect_sizes import render
from functions.drift_monitor.detection.features import FEATURES, Feature, shared_features
from functions.drift_monitor.detection.performance import Performance, disagreement, judge_performance
from functions.drift_monitor.detection.phrases import Phrase, typical_phrases
from functions.drift_monitor.detection.reference import Card, read_reference, tabulate_logged
from functions.drift_monitor.detection.self_check import check_detection
from functions.drift_monitor.detection.thresholds import calibrate
from functions.drift_monitor.detection.verdicts import Verdict, compare, drift_score, judge
from functions.drift_monitor.errors import KIND as FAILURE
from functions.drift_monitor.errors import MonitorError
from functions.drift_monitor.production_data import Traffic, read_traffic, require_rows
from functions.drift_monitor.reconciliation import OWN_FAILURES
from functions.drift_monitor.report_storage import link_to, store_report
from functions.drift_monitor.retraining import Policy, start_retraining
from functions.drift_monitor.settings import SERVICE, DriftMonitorSettings
from functions.drift_monitor.verdict_history import Persistence, verdict_history_of

VERDICTS = ("data_drift", "prediction_drift", "performance")


@dataclass(frozen=True)
class Outcome:
    """What a run that could judge has to say."""

    findings: list[Finding]
    figures: dict[str, Any]  # as recorded in dataset_metrics
    drifted_features: int
    performance: Performance
    over: frozenset[str]  # verdicts that were calm for long enough
    is_latest: bool  # a run of a past window is recorded and changes nothing that people were told

    def ends(self, alert: MonitoringAlert) -> str | None:
        """Say why an open alert that was not found again is over, or None when it is not known to be."""
        if not self.is_latest:
            return None
        if alert.kind == FAILURE:
            return None if alert.cause in OWN_FAILURES else "The monitor can judge again"
        if alert.kind not in VERDICTS:
            return None
        if alert.cause != self.figures["model_version"]:
            return f"Another model is watched now, {self.figures['model_version']}"
        return "The last windows were like the reference again" if alert.kind in self.over else None


@dataclass(frozen=True)
class Judgement:
    """What a window says: its verdicts, and the tables and thresholds they come from."""

    tables: tuple[pd.DataFrame, pd.DataFrame]  # reference and window
    thresholds: Mapping[Feature, float]
    verdicts: tuple[Verdict, ...]
    performance: Performance
    phrases: list[Phrase]

    @property
    def drifted(self) -> dict[str, bool]:
        """Tell of each verdict whether it is drift."""
        by_features: dict[str, bool] = {verdict.name: verdict.drifted for verdict in self.verdicts}
        return {**by_features, "performance": self.performance.drifted}

    def figures(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "score": round(drift_score(self.verdicts), 4),
            **{verdict.name: verdict.figures() for verdict in self.verdicts},
            "performance": self.performance.figures(),
            "phrases": [phrase.figures() for phrase in self.phrases],
        }


def run(engine: Engine, until: datetime, settings: DriftMonitorSettings) -> Outcome:
    """Judge the window that ends then and record the figures; running it again overwrites them.

    Raises MonitorError when the reference is damaged, the self-check fails, or the window holds too little.
    """
    reference = read_reference(settings.model_dir)
    card = reference.card
    with transaction(engine) as session:
        traffic = read_traffic(session, card.model_version, until, settings)
    rows = traffic.rows
    current = tabulate_logged(rows, card.labels) if rows else reference.table.head(0)
    tables = add_domain_scores(reference.table, current)
    features = shared_features(*tables)
    size = max(len(rows), settings.minimum_rows)
    thresholds = calibrate(
        reference.table,
        features,
        rows=size,
        false_alarm_rate=settings.false_alarm_rate,
        texts=count_told_apart(tables[1]),
    )
    logger(SERVICE).info("calibrated", thresholds={f.name: round(t, 4) for f, t in thresholds.items()})
    check_detection(reference.table, thresholds, rows=size, drift_threshold=settings.drift_threshold)
    require_rows(traffic.counts, card.model_version, settings)

    performance = judge_performance(
        (reference.table["confidence"].to_numpy(), reference.right),
        current["confidence"].to_numpy(),
        traffic.labelled,
        minimum_labels=settings.minimum_labels,
        margin=settings.performance_margin,
    )
    verdicts = _compare(tables, thresholds, performance, settings)
    drifted = performance.drifted or any(verdict.drifted for verdict in verdicts)
    readable = drifted and all("text" in table for table in tables)
    phrases = typical_phrases(*(table["text"] for table in tables)) if readable else []
    return _conclude(
        engine, traffic, card, Judgement(tables, thresholds, verdicts, performance, phrases), settings
    )


def _compare(
    tables: tuple[pd.DataFrame, pd.DataFrame],
    thresholds: Mapping[Feature, float],
    performance: Performance,
    settings: DriftMonitorSettings,
) -> tuple[Verdict, ...]:
    """Judge the features, and among what the model says what labels say against it."""
    limit = settings.drift_threshold
    verdicts = compare(*tables, thresholds, drift_threshold=limit)
    disagreed = disagreement(performance, false_alarm_rate=settings.false_alarm_rate)
    if disagreed is None:
        return verdicts
    return judge([*(shift for v in verdicts for shift in v.shifts), disagreed], drift_threshold=limit)


def _conclude(
    engine: Engine, traffic: Traffic, card: Card, judgement: Judgement, settings: DriftMonitorSettings
) -> Outcome:
    """Store the report, train again if that is the policy, record the run, and say what to tell people."""
    persistence = Persistence(settings.persist_runs, settings.persist_window)
    courses = {
        name: [now, *verdict_history_of(name, traffic.past)] for name, now in judgement.drifted.items()
    }
    lasting = [name for name, now in judgement.drifted.items() if now and persistence.holds(courses[name])]
    version, window = card.model_version, traffic.window
    problems: list[MonitorError] = []

    def report() -> str:
        summaries = {verdict.name.replace("_", " "): verdict.summary for verdict in judgement.verdicts}
        page = render(*judgement.tables, judgement.thresholds, verdicts=summaries)
        return store_report(page, window, version, settings.report_bucket)

    def retrain() -> str:
        with transaction(engine) as session:
            return start_retraining(
                session,
                Policy.of(settings),
                at=window.until,
                reason=f"{' and '.join(lasting)} of {version}",
                model_created_at=card.created_at,
            )

    report_uri = _attempt("report", "the report could not be stored", report, problems)
    retraining = None
    if settings.on_drift == "retrain" and lasting and traffic.is_latest:
        retraining = _attempt("retraining", "no retraining could be started", retrain, problems)
        retraining = retraining or "could not be started; see the other alert"
    context = RunContext(
        model_version=version,
        mlflow_run_id=card.mlflow_run_id,
        deployment_id=traffic.deployment_id,
        function_version=traffic.function_version,
        since=window.since,
        until=window.until,
        rows=traffic.counts[version],
        compared=len(traffic.rows),
        other_versions={other: count for other, count in traffic.counts.items() if other != version},
        not_compared=tuple(f.name for f in FEATURES if f not in judgement.thresholds),
        report_uri=report_uri,
        retraining=retraining,
    )
    figures = {**context.figures(), **judgement.figures()}
    run_id = _record(engine, figures, rows=len(traffic.rows))
    briefing = AlertContext(
        context,
        judgement.drifted,
        judgement.performance,
        judgement.phrases,
        link_to(
            report_uri,
            run_id,
            reports_url=settings.reports_url,
            now=datetime.now(UTC),
            hours=settings.report_link_hours,
        ),
        settings.runbook_url,
    )
    findings = [failure_finding(problem, settings.runbook_url) for problem in problems]
    if traffic.is_latest:
        findings += _drifts(judgement, briefing, lasting)
    return Outcome(
        findings,
        figures,
        sum(len(verdict.moved) for verdict in judgement.verdicts),
        judgement.performance,
        frozenset(name for name in VERDICTS if persistence.over(courses[name])),
        traffic.is_latest,
    )


def _drifts(judgement: Judgement, briefing: AlertContext, lasting: Sequence[str]) -> list[Finding]:
    found = [
        drift_finding(verdict, briefing, lasts=verdict.name in lasting)
        for verdict in judgement.verdicts
        if verdict.drifted
    ]
    if judgement.performance.drifted:
        found.append(performance_finding(briefing, lasts="performance" in lasting))
    return found


def _attempt(cause: str, what: str, act: Callable[[], str], problems: list[MonitorError]) -> str | None:
    """Return what comes of it, or note the problem: whatever it is, people must still hear of the drift."""
    try:
        return act()
    except Exception as error:
        problems.append(unforeseen(cause, what, error, severity="warning"))
        return None


def _record(engine: Engine, figures: dict[str, Any], *, rows: int) -> UUID:
    with transaction(engine) as session:
        return record_dataset_metrics(
            session,
            dataset=WINDOW_DATASET,
            fingerprint=f"{figures['model_version']} {figures['until']}",
            split=WINDOW_SPLIT,
            rows=rows,
            metrics=figures,
        )
